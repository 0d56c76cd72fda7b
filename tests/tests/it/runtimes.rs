//! Whose threads a client runs on: the host's, several, or none.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use tokio::runtime::Runtime;
use wardline::{Client, DeliveryState, Inbox, vault::Passphrase};
use wardline_org::{
    Transport, TransportError,
    http::{HttpOptions, HttpTransport},
};
use wardline_tests::{Phone, Ward, settle, team, text, to};

/// Waits as a host's own executor does that is not tokio's.
fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => thread::park(),
        }
    }
}

fn runtime() -> Runtime {
    Runtime::new().unwrap()
}

/// Until a phone shows so many messages of the team.
async fn shows(phone: &Phone, messages: usize) {
    let mut view = phone.client.follow(phone.team(), 1000).await.unwrap();
    while view.messages().len() < messages {
        tokio::time::timeout(PATIENCE, view.changed())
            .await
            .expect("a message came")
            .unwrap();
    }
    assert_eq!(view.messages().len(), messages);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_identities_of_one_process_talk_on_the_hosts_runtime() {
    let people: Vec<String> = (0..20).map(|number| format!("DR-{number}")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let mut ward = Ward::open(&people).await;
    let mut phones = Vec::new();
    for person in &people {
        phones.push(ward.phone(person).await);
    }
    for phone in &phones {
        phone.client.sync_once().await.unwrap();
    }
    let host = tokio::runtime::Handle::current();
    // Started from a thread that is on no runtime, as an app's main thread is.
    let clients: Vec<Client> = phones.iter().map(|phone| phone.client.clone()).collect();
    thread::spawn(move || clients.iter().for_each(|client| client.start_on(&host)))
        .join()
        .unwrap();
    for (phone, number) in phones.iter().zip(0..) {
        phone.say(team(), &text(number)).await;
    }
    for phone in &phones {
        shows(phone, people.len()).await;
        let texts: BTreeSet<String> = phone.texts(phone.team()).await.into_iter().collect();
        assert_eq!(texts, (0..people.len()).map(text).collect());
        assert_eq!(phone.refusals().await, Vec::<String>::new());
    }
    for phone in &phones {
        phone.client.close().await.unwrap();
    }
}

#[test]
fn a_client_outlives_the_runtime_that_opened_it() {
    let relays = runtime();
    let mut ward = relays.block_on(Ward::open(&["NS-1", "DR-1"]));
    let first = runtime();
    let (nurse, doctor) = first.block_on(async {
        let phones = (ward.phone("NS-1").await, ward.phone("DR-1").await);
        settle(&[&phones.0, &phones.1], 1).await;
        phones.0.client.start().unwrap();
        phones
    });
    drop(first);

    let second = runtime();
    second.block_on(async {
        nurse.say(team(), &text(1)).await;
        nurse.client.sync_once().await.unwrap();
        doctor.client.start().unwrap();
        shows(&doctor, 1).await;
        // The loop ended with its runtime: it starts again on this one.
        nurse.client.start().unwrap();
        doctor.say(team(), &text(2)).await;
        shows(&nurse, 2).await;
        nurse.client.close().await.unwrap();
        doctor.client.close().await.unwrap();
    });
}

#[test]
fn every_method_may_be_awaited_on_no_runtime() {
    let relays = runtime();
    let mut ward = relays.block_on(Ward::open(&["NS-1", "DR-1"]));
    // Enrolled on none either.
    let nurse = wait(ward.phone("NS-1"));
    let doctor = wait(ward.phone("DR-1"));
    wait(settle(&[&doctor, &nurse], 1));
    assert_eq!(nurse.client.start().unwrap_err().code(), "WL-NO-RUNTIME");

    let message = wait(nurse.say(to(&doctor), &text(1)));
    wait(settle(&[&nurse, &doctor, &nurse], 1));
    let people = wait(nurse.client.deliveries(message)).unwrap();
    assert_eq!(people[0].state, DeliveryState::Delivered);
    assert_eq!(wait(doctor.texts(doctor.with("NS-1"))), [text(1)]);
    wait(doctor.client.mark_read(vec![nurse.reference(message)])).unwrap();
    assert_eq!(wait(doctor.client.unread_total()).unwrap(), 0);
    assert_eq!(
        wait(doctor.client.search("potassium", None, None, 9))
            .unwrap()
            .len(),
        1
    );
    wait(doctor.client.save_draft(to(&nurse), "On my w")).unwrap();
    assert!(
        wait(doctor.client.draft(doctor.with("NS-1")))
            .unwrap()
            .is_some()
    );
    let mut list = wait(doctor.client.follow_conversations(9)).unwrap();
    doctor.client.lock();
    assert_eq!(wait(list.changed()).unwrap().updated.len(), 1);
    wait(doctor.unlock());
    assert!(!wait(doctor.events()).is_empty());
    assert!(!wait(doctor.client.pending_requests()).unwrap().is_empty());
    wait(doctor.client.rekey()).unwrap();
    let passphrase = || Passphrase::new("correct horse battery staple").unwrap();
    wait(doctor.client.change_passphrase(passphrase(), passphrase())).unwrap();
    wait(doctor.client.suspend()).unwrap();
    wait(doctor.client.resume()).unwrap();
    assert_eq!(wait(doctor.client.check_audit()).unwrap(), None);
    let doctor = wait(ward.reopen(doctor));
    wait(doctor.client.close()).unwrap();
    // The host's runtime is there for the loop all the same.
    nurse.client.start_on(relays.handle());
    wait(nurse.client.close()).unwrap();
}

/// Sockets are tokio's: the built-in transport needs it, and the client lends it what it has.
#[test]
fn an_inbox_needs_a_timer_and_says_so() {
    let relays = runtime();
    let mut ward = relays.block_on(Ward::open(&["NS-1"]));
    let nurse = relays.block_on(ward.phone("NS-1"));
    let inbox = |runtime| {
        let line = Arc::clone(&nurse.faults);
        let mut config = ward.config(&nurse.folder, line);
        config.runtime = runtime;
        wait(Inbox::open(config)).unwrap()
    };
    let refused = wait(inbox(None).collect(Duration::from_secs(60)));
    assert_eq!(refused.unwrap_err().code(), "WL-NO-RUNTIME");
    let inbox = inbox(Some(relays.handle().clone()));
    let collected = wait(inbox.collect(Duration::from_secs(60))).unwrap();
    assert!(collected.complete, "{:?}", collected.failure);
}

#[test]
fn the_built_in_transport_is_used_from_no_runtime() {
    let relays = runtime();
    let ward = relays.block_on(Ward::open(&["NS-1"]));
    let server =
        wardline_relay::Server::start(ward.relay().clone(), wardline_relay::ServerOptions::local());
    let server = relays.block_on(server).unwrap();
    let address = format!("http://{}", server.address());
    let http = || Arc::new(HttpTransport::new(&address, HttpOptions::default()).unwrap());
    let enroll = |folder: &str, runtime| {
        let mut config = ward.config(&ward.folder().join(folder), http() as Arc<dyn Transport>);
        config.runtime = runtime;
        let ticket = ward.ticket("NS-1");
        let passphrase = Passphrase::new("correct horse battery staple").unwrap();
        let user = "NS-1".parse().unwrap();
        wait(Client::enroll(config, user, "phone", &ticket, passphrase))
    };
    enroll("lent", Some(relays.handle().clone())).unwrap();
    let refused = enroll("none", None).unwrap_err();
    assert_eq!(refused.code(), "WL-NET-REFUSED");
    let request = wardline_org::Request::new(&wardline_proto::v1::HeadRequest::default());
    assert_eq!(
        wait(http().call(request)).unwrap_err(),
        TransportError::Refused
    );
}

/// Only so that a fault shows as a failure and not as a test that never ends.
const PATIENCE: Duration = Duration::from_secs(60);
