//! Nothing that a person wrote, and nobody's name, gets into a log line or a metric.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;
use wardline_proto::{Bytes, v1};
use wardline_relay::push::{HttpPushGateway, PushOptions, PushRegistration};

use crate::{
    hospital::Device,
    world::{RELAY, World, submission},
};

#[test]
fn logs_and_metrics_name_nobody_and_quote_nothing() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .finish();
    // Every thread of the runtime writes here: the relay carries calls out on its own tasks.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let metrics = tracing::subscriber::with_default(subscriber, || runtime.block_on(exercise()));
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("call"), "the log is empty: {logged}");
    assert!(metrics.contains("wardline_relay_calls_total"));

    let ada = Device::new("mercy", PERSON, 1);
    let id = ada.id().to_string();
    let secrets = [
        CANARY, KEY_CANARY, PERSON, TICKET, TOKEN, TOPIC, BEARER, "mercy", &id,
    ];
    for text in [&logged, &metrics] {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} leaked");
        }
    }
    let raw = String::from_utf8_lossy(ada.id().as_bytes()).into_owned();
    assert!(!logged.contains(&raw));
}

/// Good calls, bad calls, and everything that warns.
async fn exercise() -> String {
    let ada = Device::new("mercy", PERSON, 1);
    let ben = Device::new("mercy", "ben", 2);
    // A gateway that nobody serves.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/{BEARER}", free.local_addr().unwrap());
    drop(free);
    let gateway = HttpPushGateway::new(&url, Some(BEARER)).unwrap();
    let mut push = PushOptions::new(Arc::new(gateway));
    push.tries = 2;
    push.first_pause = Duration::from_millis(1);
    let mut world = World::with_devices(&[&ada, &ben], |config| config.push = Some(push)).await;
    let register = PushRegistration::new(TOKEN, TOPIC).unwrap().to_call();
    world.ask(&ben, &register).await.unwrap();
    let mut message = submission(CANARY, &[&ben]);
    message.keys[0].ciphertext = Bytes::from_static(KEY_CANARY.as_bytes());
    world.send(&ada, message.clone()).await.unwrap();
    while !world.relay.metrics().contains("outcome=\"failed\"") {
        tokio::task::yield_now().await;
    }
    world.receive(&ben).await.unwrap();
    message.content = Bytes::from_static(b"other bytes");
    world.send(&ada, message).await.unwrap_err();
    world.upload(&ada, &[1], None).await.unwrap();

    let enroll = v1::EnrollRequest {
        ticket: TICKET.into(),
        credential: ada.credential.bytes().to_vec(),
        signature: ada.credential.signature().to_vec(),
    };
    world.call(&ada.calls(RELAY), &enroll).await.unwrap_err();
    let bad_head = v1::PublishHeadRequest {
        expected_version: 1,
        head: CANARY.into(),
        ..Default::default()
    };
    world.command(&bad_head).await.unwrap_err();
    let revocation = world.hospital.revoke(&ada);
    world.publish(&[revocation]).await.unwrap();
    world.receive(&ada).await.unwrap_err();
    world.relay.sweep().await.unwrap();
    let metrics = world.relay.metrics();
    world.restart().await;
    world.relay.close().await;
    metrics
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

const CANARY: &str = "canary-content-potassium-6-9";
const KEY_CANARY: &str = "canary-sealed-key";
const PERSON: &str = "canary-person";
const TICKET: &str = "canary-ticket";
const TOKEN: &str = "canary-push-token";
const TOPIC: &str = "canary-push-topic";
const BEARER: &str = "canary-bearer";
