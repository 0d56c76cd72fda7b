use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use wardline_org::UserId;
use wardline_org::authority::{AdmitError, Authority, HeadPlan, PersonDetails, Secrets};
use wardline_org::connect::RelayCode;
use wardline_org::publisher::{Publisher, PublisherError, SaveError, StateStore};
use wardline_org::ticket::{DEFAULT_VALIDITY, TicketError};
use wardline_org::trust::{Standing, Trust};

use crate::relay::TestRelay;
use crate::support::{Device, start};

/// Keeps the newest snapshot, and fails when told to.
#[derive(Default)]
struct Disk {
    snapshot: Mutex<Vec<u8>>,
    full: Mutex<bool>,
}

#[async_trait]
impl StateStore for Disk {
    async fn save(&self, snapshot: &[u8]) -> Result<(), SaveError> {
        if *self.full.lock().unwrap() {
            return Err(SaveError);
        }
        *self.snapshot.lock().unwrap() = snapshot.to_vec();
        Ok(())
    }
}

struct Setup {
    relay: Arc<TestRelay>,
    disk: Arc<Disk>,
    secrets: Secrets,
    publisher: Publisher,
    trust: Trust,
}

fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

impl Setup {
    /// Three people are published.
    async fn new() -> Self {
        let secrets = Secrets::generate(1).unwrap();
        let mut authority = Authority::found("mercy".parse().unwrap(), 1, &secrets).unwrap();
        for id in ["DR-CA-001", "DR-CA-002", "NS-CA-001"] {
            authority
                .upsert_person(PersonDetails::new(user(id), id))
                .unwrap();
        }
        let relay = Arc::new(TestRelay::new("mercy".parse().unwrap(), authority.pin()));
        let trust = Trust::new("mercy".parse().unwrap(), authority.pin());
        let disk = Arc::new(Disk::default());
        let publisher =
            Publisher::new(authority, TestRelay::name(), relay.clone(), disk.clone()).unwrap();
        let mut setup = Self {
            relay,
            disk,
            secrets,
            publisher,
            trust,
        };
        let first = setup.publisher.publish_once(start()).await.unwrap();
        assert_eq!(first.published, Some(1));
        setup
    }

    fn ticket(&self, id: &str) -> String {
        let issuer = self.publisher.authority().ticket_issuer().unwrap();
        issuer.mint(&user(id), DEFAULT_VALIDITY, start()).unwrap()
    }

    /// The backend died; what is on its disk remains.
    fn crash(&mut self) {
        let snapshot = self.disk.snapshot.lock().unwrap().clone();
        let authority = Authority::restore(&snapshot, self.secrets.signers()).unwrap();
        self.publisher = Publisher::new(
            authority,
            TestRelay::name(),
            self.relay.clone(),
            self.disk.clone(),
        )
        .unwrap();
    }

    fn is_enrolled(&mut self, device: &Device) -> bool {
        let id = device.credential.credential().user.clone();
        match self.relay.look_up(&mut self.trust, &format!("person/{id}")) {
            Standing::Present(entry) => entry.person().unwrap().device(device.id()).is_some(),
            _ => false,
        }
    }
}

#[tokio::test]
async fn devices_that_handed_in_a_ticket_are_in_the_directory_after_one_round() {
    let mut setup = Setup::new().await;
    let devices: Vec<_> = (1..6).map(|seed| Device::new("DR-CA-001", seed)).collect();
    for device in &devices {
        setup
            .relay
            .enroll(&setup.ticket("DR-CA-001"), device)
            .await
            .unwrap();
    }
    let round = setup.publisher.publish_once(start()).await.unwrap();
    let ids: Vec<_> = devices.iter().map(Device::id).collect();
    assert_eq!(round.admitted, ids);
    assert!(round.refused.is_empty());
    for device in &devices {
        assert!(setup.is_enrolled(device));
    }
    // Nothing is left to do.
    let idle = setup.publisher.publish_once(start()).await.unwrap();
    assert_eq!(idle, Default::default());
    assert!(setup.relay.state().enrollments.is_empty());
}

#[tokio::test]
async fn one_round_publishes_everything_however_many_heads_it_takes() {
    let mut setup = Setup::new().await;
    let plan = HeadPlan {
        max_changed_bytes: 1000,
        ..HeadPlan::default()
    };
    let authority = setup.publisher.authority_mut();
    authority.set_plan(plan);
    for i in 0..100 {
        let details = PersonDetails::new(user(&format!("user-{i}")), "Somebody");
        authority.upsert_person(details).unwrap();
    }
    let round = setup.publisher.publish_once(start()).await.unwrap();
    assert!(round.published.unwrap() > 5);
    assert_eq!(setup.relay.state().entries.len(), 103);
}

#[tokio::test]
async fn a_refused_request_is_reported_once_and_holds_nobody_up() {
    let mut setup = Setup::new().await;
    let ticket = setup.ticket("DR-CA-001");
    let (first, second) = (Device::new("DR-CA-001", 1), Device::new("DR-CA-001", 2));
    let other = Device::new("DR-CA-002", 3);
    setup.relay.enroll(&ticket, &first).await.unwrap();
    setup.relay.enroll(&ticket, &second).await.unwrap();
    setup
        .relay
        .enroll(&setup.ticket("DR-CA-002"), &other)
        .await
        .unwrap();
    let round = setup.publisher.publish_once(start()).await.unwrap();
    assert_eq!(round.admitted, [first.id(), other.id()]);
    assert_eq!(round.refused, [(2, AdmitError::Ticket(TicketError::Used))]);
    let idle = setup.publisher.publish_once(start()).await.unwrap();
    assert_eq!(idle, Default::default());
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_the_next_round_and_nothing_is_published_twice() {
    let mut setup = Setup::new().await;
    let device = Device::new("DR-CA-001", 1);
    setup
        .relay
        .enroll(&setup.ticket("DR-CA-001"), &device)
        .await
        .unwrap();
    setup.relay.state().lose_answer_of = Some("PublishHead");
    let failed = setup.publisher.publish_once(start()).await.unwrap_err();
    assert!(failed.retryable());
    assert!(setup.is_enrolled(&device));

    let round = setup.publisher.publish_once(start()).await.unwrap();
    assert_eq!(round.published, Some(2));
    assert_eq!(setup.publisher.authority().version(), 2);
    assert_eq!(setup.relay.state().directory.version(), 2);
}

#[tokio::test]
async fn a_call_that_never_arrived_is_made_again_with_later_changes() {
    let mut setup = Setup::new().await;
    let authority = setup.publisher.authority_mut();
    authority
        .upsert_person(PersonDetails::new(user("NEW-1"), "New"))
        .unwrap();
    setup.relay.state().lose_call = Some("PublishHead");
    assert!(
        setup
            .publisher
            .publish_once(start())
            .await
            .unwrap_err()
            .retryable()
    );
    let authority = setup.publisher.authority_mut();
    authority
        .upsert_person(PersonDetails::new(user("NEW-2"), "New"))
        .unwrap();

    let later = start() + Duration::from_secs(60);
    setup.relay.state().now = later;
    let round = setup.publisher.publish_once(later).await.unwrap();
    assert_eq!(round.published, Some(2));
    let head = setup.publisher.authority().head().unwrap().head().clone();
    assert_eq!((head.entries_count, head.issued_at), (5, later));
}

#[tokio::test]
async fn a_crash_at_any_point_loses_no_enrollment_and_publishes_none_twice() {
    for (lose_call, lose_answer) in [
        (Some("PublishHead"), None),
        (None, Some("PublishHead")),
        (Some("Enrollments"), None),
        (None, Some("Enrollments")),
    ] {
        let mut setup = Setup::new().await;
        let device = Device::new("DR-CA-001", 1);
        setup
            .relay
            .enroll(&setup.ticket("DR-CA-001"), &device)
            .await
            .unwrap();
        setup.relay.state().lose_call = lose_call;
        setup.relay.state().lose_answer_of = lose_answer;
        setup.publisher.publish_once(start()).await.unwrap_err();
        setup.crash();
        setup.publisher.publish_once(start()).await.unwrap();
        assert!(setup.is_enrolled(&device), "{lose_call:?} {lose_answer:?}");
        assert_eq!(setup.relay.state().directory.version(), 2);
    }
}

#[tokio::test]
async fn nothing_is_published_that_was_not_saved() {
    let mut setup = Setup::new().await;
    let device = Device::new("DR-CA-001", 1);
    setup
        .relay
        .enroll(&setup.ticket("DR-CA-001"), &device)
        .await
        .unwrap();
    *setup.disk.full.lock().unwrap() = true;
    let failed = setup.publisher.publish_once(start()).await.unwrap_err();
    assert_eq!(failed, PublisherError::Save(SaveError));
    assert_eq!(setup.relay.state().directory.version(), 1);

    *setup.disk.full.lock().unwrap() = false;
    setup.crash();
    setup.publisher.publish_once(start()).await.unwrap();
    assert!(setup.is_enrolled(&device));
}

#[tokio::test]
async fn an_authority_that_was_overtaken_stops_and_says_so() {
    let mut setup = Setup::new().await;
    let stale = setup.disk.snapshot.lock().unwrap().clone();
    let add = |publisher: &mut Publisher, id: &str| {
        let details = PersonDetails::new(user(id), id);
        publisher.authority_mut().upsert_person(details).unwrap();
    };
    add(&mut setup.publisher, "NEW-1");
    setup.publisher.publish_once(start()).await.unwrap();

    // Restored from an old backup.
    *setup.disk.snapshot.lock().unwrap() = stale;
    setup.crash();
    add(&mut setup.publisher, "NEW-2");
    let failed = setup.publisher.publish_once(start()).await.unwrap_err();
    assert_eq!(failed, PublisherError::Diverged { held: 1, relay: 2 });
    assert!(!failed.retryable());
    assert_eq!(setup.relay.state().directory.version(), 2);
}

#[tokio::test]
async fn a_relay_of_another_organization_is_told_by_its_refusal() {
    let setup = Setup::new().await;
    let secrets = Secrets::generate(1).unwrap();
    let other = Authority::found("general".parse().unwrap(), 1, &secrets).unwrap();
    let mut publisher =
        Publisher::new(other, TestRelay::name(), setup.relay.clone(), Arc::new(())).unwrap();
    let failed = publisher.publish_once(start()).await.unwrap_err();
    let PublisherError::Call(error) = failed else {
        panic!("{failed:?}")
    };
    assert_eq!(error.refusal().unwrap().code, RelayCode::BadSignature);
}

#[tokio::test]
async fn a_head_is_renewed_before_it_expires() {
    let mut setup = Setup::new().await;
    let later = start() + Duration::from_secs(13 * 3600);
    setup.relay.state().now = later;
    let round = setup.publisher.publish_once(later).await.unwrap();
    assert_eq!(round.published, Some(2));
}
