//! Waking devices that sleep, with a real gateway on a socket: what it is told, and that it can do no harm.

use std::{sync::Arc, time::Duration};

use wardline_org::{CallSigner, Caller, RelayCode, push::PushRegistration};
use wardline_proto::v1;
use wardline_relay::push::{HttpPushGateway, PushOptions};

use crate::{
    gateway::Gateway,
    hospital::{Device, key, undisturbed},
    wipes,
    world::{RELAY, World, cast, code, submission},
};

// What the gateway is told ------------------------------------------------------------------------------

#[tokio::test]
async fn gateway_is_told_token_topic_and_class_and_nothing_else() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |_| {}).await;
    for (wake, class) in [(0, "silent"), (1, "alert"), (2, "critical"), (99, "alert")] {
        let mut message = submission("canary-content", &[&scene.ben]);
        message.wake = wake;
        let envelope = message.envelope_id.clone();
        scene.world.send(&scene.ada, message).await.unwrap();
        let posted = gateway.next().await;
        assert_eq!(posted.body, body("ben-token", class));
        let head = posted.head.to_lowercase();
        assert!(
            head.starts_with("post /wake?app=ward http/1.1\r\n"),
            "{head}"
        );
        assert!(head.contains("\r\ncontent-type: application/json\r\n"));
        assert!(head.contains("\r\nauthorization: bearer gateway-word\r\n"));
        let hex = |id: &[u8]| id.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let canaries = [
            "canary-content".to_owned(),
            "sealed key".to_owned(),
            "mercy".to_owned(),
            "ada".to_owned(),
            hex(scene.ada.id().as_bytes()),
            hex(scene.ben.id().as_bytes()),
            hex(&envelope),
        ];
        for canary in canaries {
            assert!(!head.contains(&canary) && !posted.body.contains(&canary));
        }
        posted.answer("204 No Content").await;
    }
    scene.counted("posted", 4).await;
}

#[tokio::test]
async fn own_other_device_is_woken_silently() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |_| {}).await;
    scene.register(&scene.ada_tablet, "tablet-token").await;
    let mut message = submission("x", &[&scene.ada_tablet]);
    message.wake = 2;
    scene.world.send(&scene.ada, message).await.unwrap();
    let posted = gateway.next().await;
    assert_eq!(posted.body, body("tablet-token", "silent"));
}

#[tokio::test]
async fn whoever_is_not_to_be_disturbed_is_woken_silently_unless_it_is_critical() {
    let mut gateway = Gateway::open().await;
    let mut scene = Scene::new(&gateway, |_| {}).await;
    let now = scene.world.now();
    let quiet = scene.ben.says(undisturbed(now), now);
    scene.world.ask(&scene.ben, &quiet).await.unwrap();
    // Also after a restart.
    scene.world.restart().await;
    for (wake, class) in [(1, "silent"), (2, "critical")] {
        scene.send(&scene.ben, wake).await;
        let posted = gateway.next().await;
        assert_eq!(posted.body, body("ben-token", class));
        posted.answer("200 OK").await;
    }
    scene.world.advance(HOUR);
    scene.send(&scene.ben, 1).await;
    let posted = gateway.next().await;
    assert_eq!(posted.body, body("ben-token", "alert"));
    posted.answer("200 OK").await;
}

#[tokio::test]
async fn message_sent_again_wakes_nobody_again() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |_| {}).await;
    let message = submission("x", &[&scene.ben]);
    scene.world.send(&scene.ada, message.clone()).await.unwrap();
    gateway.next().await.answer("200 OK").await;
    scene.world.send(&scene.ada, message).await.unwrap();
    scene.nothing_but_the_sentinel(&mut gateway).await;
}

#[tokio::test]
async fn messages_that_come_while_one_is_posted_become_one_wake_up_of_the_highest_class() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |_| {}).await;
    scene.send(&scene.ben, 0).await;
    let first = gateway.next().await;
    assert_eq!(first.body, body("ben-token", "silent"));
    for wake in [1, 2, 2, 0] {
        scene.send(&scene.ben, wake).await;
    }
    first.answer("200 OK").await;
    let second = gateway.next().await;
    assert_eq!(second.body, body("ben-token", "critical"));
    second.answer("200 OK").await;
    scene.nothing_but_the_sentinel(&mut gateway).await;
}

#[tokio::test]
async fn colleague_whom_the_policy_allows_no_stat_rings_no_phone_critically() {
    let mut gateway = Gateway::open().await;
    let mut scene = Scene::new(&gateway, |_| {}).await;
    let (ada, ben) = (scene.ada.clone(), scene.ben.clone());
    let wakes = async |scene: &Scene, gateway: &mut Gateway| {
        let mut classes = Vec::new();
        for from in [&ada, &ben] {
            let mut message = submission("x", &[&scene.cara]);
            message.wake = 2;
            scene.world.send(from, message).await.unwrap();
            let posted = gateway.next().await;
            classes.push(posted.body.clone());
            posted.answer("200 OK").await;
        }
        classes
    };
    let [alert, critical] = ["alert", "critical"].map(|class| body("cara-token", class));
    // Without such a rule everybody may.
    let anybody = wakes(&scene, &mut gateway).await;
    assert_eq!(anybody, [critical.as_str(), &critical]);
    // The rule comes, and nobody has the role.
    let request = scene
        .world
        .hospital
        .allow_stat(&["doctor"], scene.world.now());
    scene.world.publish_request(&request).await.unwrap();
    let nobody = wakes(&scene, &mut gateway).await;
    assert_eq!(nobody, [alert.as_str(), &alert]);
    // Ada becomes a doctor.
    let promoted = scene.world.hospital.give_role("ada", "doctor");
    scene.world.publish(&[promoted]).await.unwrap();
    let doctor = wakes(&scene, &mut gateway).await;
    assert_eq!(doctor, [critical.as_str(), &alert]);
    scene.world.restart().await;
    let restarted = wakes(&scene, &mut gateway).await;
    assert_eq!(restarted, [critical.as_str(), &alert]);
}

// When nobody need be woken -----------------------------------------------------------------------------

#[tokio::test]
async fn device_that_acknowledged_meanwhile_is_not_woken() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |_| {}).await;
    // The only place is taken, so that Ben's wake-up waits.
    scene.send(&scene.cara, 2).await;
    let held = gateway.next().await;
    scene.send(&scene.ben, 2).await;
    scene.acknowledge_all(&scene.ben).await;
    held.answer("200 OK").await;
    scene.nothing_but_the_sentinel(&mut gateway).await;
}

#[tokio::test]
async fn device_in_a_long_poll_is_given_its_time() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |push| push.poll_grace = HOUR).await;
    scene.send_while_polling().await;
    scene.nothing_but_the_sentinel(&mut gateway).await;
}

#[tokio::test]
async fn device_whose_long_poll_leads_to_nothing_is_woken() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |push| push.poll_grace = Duration::ZERO).await;
    scene.send_while_polling().await;
    assert_eq!(gateway.next().await.body, body("ben-token", "critical"));
}

// A gateway that misbehaves -----------------------------------------------------------------------------

#[tokio::test]
async fn gateway_that_fails_is_asked_again() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |_| {}).await;
    scene.send(&scene.ben, 2).await;
    gateway.next().await.answer("500 Oops").await;
    gateway.next().await.answer("503 Later").await;
    gateway.next().await.answer("429 Too Many").await;
    gateway.next().await.garbage().await;
    gateway.next().await.hang_up();
    let last = gateway.next().await;
    assert_eq!(last.body, body("ben-token", "critical"));
    last.answer("200 OK").await;
    scene.counted("posted", 1).await;
    scene.nothing_but_the_sentinel(&mut gateway).await;
}

#[tokio::test]
async fn gateway_that_does_not_answer_is_given_up_after_its_tries() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |push| {
        push.timeout = Duration::from_millis(50);
        push.tries = 2;
    })
    .await;
    scene.send(&scene.ben, 1).await;
    let (first, second) = (gateway.next().await, gateway.next().await);
    scene.counted("failed", 1).await;
    assert_eq!(first.body, second.body);
}

#[tokio::test]
async fn gateway_that_is_down_costs_no_message() {
    let gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |push| push.tries = 3).await;
    drop(gateway);
    scene.send(&scene.ben, 2).await;
    scene.counted("failed", 1).await;
    let waiting = scene.world.receive(&scene.ben).await.unwrap();
    assert_eq!(waiting.envelopes.len(), 1);
}

#[tokio::test]
async fn gateway_that_hangs_holds_up_neither_sending_nor_closing() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |push| push.timeout = HOUR).await;
    scene.send(&scene.ben, 2).await;
    let held = gateway.next().await;
    scene.send(&scene.ben, 2).await;
    scene.send(&scene.cara, 2).await;
    scene.world.relay.close().await;
    drop(held);
}

#[tokio::test]
async fn refused_wake_up_is_not_tried_again_and_its_device_stays_registered() {
    for refusal in ["400 No", "401 Who", "302 Found\r\nlocation: /elsewhere"] {
        let mut gateway = Gateway::open().await;
        let scene = Scene::new(&gateway, |_| {}).await;
        scene.send(&scene.ben, 2).await;
        gateway.next().await.answer(refusal).await;
        scene.counted("failed", 1).await;
        scene.send(&scene.ben, 1).await;
        assert_eq!(gateway.next().await.body, body("ben-token", "alert"));
    }
}

#[tokio::test]
async fn token_that_is_gone_is_forgotten() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |_| {}).await;
    scene.send(&scene.ben, 2).await;
    gateway.next().await.answer("410 Gone").await;
    scene.counted("gone", 1).await;
    scene.send(&scene.ben, 2).await;
    scene.nothing_but_the_sentinel(&mut gateway).await;
}

#[tokio::test]
async fn gateway_that_is_not_where_it_should_be_makes_no_phone_deaf() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |push| push.tries = 2).await;
    scene.send(&scene.ben, 2).await;
    for _ in 0..2 {
        gateway.next().await.answer("404 Not Found").await;
    }
    scene.counted("failed", 1).await;
    scene.send(&scene.ben, 1).await;
    assert_eq!(gateway.next().await.body, body("ben-token", "alert"));
}

#[tokio::test]
async fn token_that_took_the_place_of_a_gone_one_stays() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |_| {}).await;
    scene.send(&scene.ben, 2).await;
    let old = gateway.next().await;
    scene.register(&scene.ben, "new-token").await;
    old.answer("410 Gone").await;
    scene.send(&scene.ben, 2).await;
    assert_eq!(gateway.next().await.body, body("new-token", "critical"));
}

#[tokio::test]
async fn full_queue_drops_what_is_least_urgent_and_says_so() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |push| push.waiting = 1).await;
    scene.send(&scene.ben, 2).await;
    let held = gateway.next().await;
    scene.send(&scene.cara, 2).await;
    scene.counted("dropped", 1).await;
    held.answer("200 OK").await;
}

// Who registers, and until when -------------------------------------------------------------------------

#[tokio::test]
async fn nobody_registers_for_another_device() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |_| {}).await;
    let steal = registration("eve-token").to_call();
    // Ben's name under another key.
    let impostor = CallSigner::new(
        Caller::Device(scene.ben.id()),
        "mercy".parse().unwrap(),
        RELAY.parse().unwrap(),
        Arc::new(key(250)),
    );
    let world = &scene.world;
    let refused = code(world.call(&impostor, &steal).await);
    assert_eq!(refused, RelayCode::BadSignature);
    let stranger = Device::new("mercy", "eve", 66);
    assert_eq!(
        code(world.ask(&stranger, &steal).await),
        RelayCode::UnknownDevice
    );
    assert_eq!(code(world.command(&steal).await), RelayCode::UnknownDevice);
    // A colleague registers for themselves alone.
    world.ask(&scene.ada, &steal).await.unwrap();
    let forget = v1::RegisterPushRequest::default();
    world.ask(&scene.ada, &forget).await.unwrap();
    scene.send(&scene.ben, 1).await;
    assert_eq!(gateway.next().await.body, body("ben-token", "alert"));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_the_earlier_registration_stays() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |_| {}).await;
    let call = |token: &str, topic: &str| v1::RegisterPushRequest {
        token: token.into(),
        topic: topic.into(),
    };
    for bad in [
        call(&"x".repeat(4097), ""),
        call("token", &"x".repeat(257)),
        call("to\nken", ""),
        call("", "topic"),
    ] {
        let refused = code(scene.world.ask(&scene.ben, &bad).await);
        assert_eq!(refused, RelayCode::Malformed);
    }
    scene.send(&scene.ben, 1).await;
    assert_eq!(gateway.next().await.body, body("ben-token", "alert"));
}

#[tokio::test]
async fn odd_tokens_reach_the_gateway_unchanged() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |_| {}).await;
    let odd = r#"{"endpoint":"https://x/é","keys":{"a":"\\"}}"#;
    scene.register(&scene.ben, odd).await;
    scene.send(&scene.ben, 1).await;
    let escaped = r#"{\"endpoint\":\"https://x/é\",\"keys\":{\"a\":\"\\\\\"}}"#;
    assert_eq!(gateway.next().await.body, body(escaped, "alert"));
}

#[tokio::test]
async fn unregistered_device_is_woken_no_more() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |_| {}).await;
    let forget = v1::RegisterPushRequest::default();
    scene.world.ask(&scene.ben, &forget).await.unwrap();
    scene.send(&scene.ben, 2).await;
    scene.nothing_but_the_sentinel(&mut gateway).await;
}

#[tokio::test]
async fn revoked_device_is_woken_no_more_and_registers_no_more() {
    let mut gateway = Gateway::open().await;
    let mut scene = Scene::new(&gateway, |_| {}).await;
    // It waits to be woken when the revocation comes.
    scene.send(&scene.cara, 2).await;
    let held = gateway.next().await;
    scene.send(&scene.ben, 2).await;
    let revocation = scene.world.hospital.revoke(&scene.ben);
    scene.world.publish(&[revocation]).await.unwrap();
    held.answer("200 OK").await;
    let again = registration("ben-token").to_call();
    let refused = code(scene.world.ask(&scene.ben, &again).await);
    assert_eq!(refused, RelayCode::Revoked);
    scene.send(&scene.ben, 2).await;
    scene.nothing_but_the_sentinel(&mut gateway).await;
}

#[tokio::test]
async fn sleeping_device_is_woken_for_its_wipe_order_until_it_has_obeyed() {
    let mut gateway = Gateway::open().await;
    let mut scene = Scene::new(&gateway, |_| {}).await;
    // The only place is taken while order and revocation come, so that Ben's wake-up meets both.
    scene.send(&scene.cara, 0).await;
    let held = gateway.next().await;
    wipes::order(&scene.world, &scene.ben).await;
    let revocation = scene.world.hospital.revoke(&scene.ben);
    scene.world.publish(&[revocation]).await.unwrap();
    held.answer("200 OK").await;
    let posted = gateway.next().await;
    assert_eq!(posted.body, body("ben-token", "alert"));
    posted.answer("200 OK").await;
    // Given again it wakes again, also after a restart.
    scene.world.restart().await;
    let order = wipes::order(&scene.world, &scene.ben).await;
    let posted = gateway.next().await;
    assert_eq!(posted.body, body("ben-token", "alert"));
    posted.answer("200 OK").await;
    let receipt = wipes::receipt(&scene.ben, &order);
    wipes::unsigned(&scene.world, &receipt).await.unwrap();
    wipes::order(&scene.world, &scene.ben).await;
    scene.nothing_but_the_sentinel(&mut gateway).await;
}

#[tokio::test]
async fn device_that_is_to_be_wiped_does_not_ring_for_messages() {
    let mut gateway = Gateway::open().await;
    let scene = Scene::new(&gateway, |_| {}).await;
    wipes::order(&scene.world, &scene.ben).await;
    gateway.next().await.answer("200 OK").await;
    scene.send(&scene.ben, 2).await;
    assert_eq!(gateway.next().await.body, body("ben-token", "alert"));
}

#[tokio::test]
async fn restart_and_power_cut_keep_registrations() {
    let mut gateway = Gateway::open().await;
    let mut scene = Scene::new(&gateway, |_| {}).await;
    scene.world.restart().await;
    scene.send(&scene.ben, 1).await;
    let posted = gateway.next().await;
    assert_eq!(posted.body, body("ben-token", "alert"));
    posted.answer("200 OK").await;
    scene.world.cut_power().await;
    scene.send(&scene.ben, 2).await;
    assert_eq!(gateway.next().await.body, body("ben-token", "critical"));
}

#[tokio::test]
async fn relay_without_a_gateway_keeps_registrations_for_the_day_it_has_one() {
    let mut gateway = Gateway::open().await;
    let mut scene = Scene::new(&gateway, |_| {}).await;
    let push = scene.world.config.push.take();
    scene.world.restart().await;
    scene.register(&scene.ben, "later-token").await;
    scene.send(&scene.ben, 2).await;
    scene.world.config.push = push;
    scene.world.restart().await;
    scene.send(&scene.ben, 1).await;
    assert_eq!(gateway.next().await.body, body("later-token", "alert"));
}

// The stage ---------------------------------------------------------------------------------------------

/// Ada writes; Ben and Cara sleep.
struct Scene {
    world: World,
    ada: Device,
    ada_tablet: Device,
    ben: Device,
    cara: Device,
}

impl Scene {
    /// One post at a time, so that the order of posts is the order of wake-ups, and no patience.
    async fn new(gateway: &Gateway, configure: impl FnOnce(&mut PushOptions)) -> Self {
        let cast = cast();
        let cara = Device::new("mercy", "cara", 4);
        let url = format!("http://{}/wake?app=ward", gateway.address);
        let http = HttpPushGateway::new(&url, Some("gateway-word")).unwrap();
        let mut options = PushOptions::new(Arc::new(http));
        options.at_once = 1;
        options.first_pause = Duration::from_millis(1);
        options.timeout = HOUR;
        configure(&mut options);
        let devices = [&cast.ada, &cast.ada_tablet, &cast.ben, &cara];
        let world = World::with_devices(&devices, |config| config.push = Some(options)).await;
        let scene = Self {
            world,
            ada: cast.ada,
            ada_tablet: cast.ada_tablet,
            ben: cast.ben,
            cara,
        };
        scene.register(&scene.ben, "ben-token").await;
        scene.register(&scene.cara, "cara-token").await;
        scene
    }

    async fn register(&self, device: &Device, token: &str) {
        let call = registration(token).to_call();
        self.world.ask(device, &call).await.unwrap();
    }

    async fn send(&self, to: &Device, wake: i32) {
        let mut message = submission("x", &[to]);
        message.wake = wake;
        self.world.send(&self.ada, message).await.unwrap();
    }

    async fn acknowledge_all(&self, device: &Device) {
        let page = self.world.receive(device).await.unwrap();
        let acknowledge = v1::AcknowledgeRequest {
            up_to: page.last_sequence,
            epoch: page.epoch,
            checkpoint: 0,
        };
        self.world.ask(device, &acknowledge).await.unwrap();
    }

    /// Ben waits, Ada writes, Ben is handed it and says nothing more.
    async fn send_while_polling(&self) {
        let poll = v1::ReceiveRequest {
            wait_ms: 50_000,
            ..Default::default()
        };
        let (answer, ()) = tokio::join!(self.world.ask(&self.ben, &poll), async {
            while !self.world.relay.metrics().contains("relay_polls 1\n") {
                tokio::task::yield_now().await;
            }
            self.send(&self.ben, 2).await;
        });
        assert_eq!(answer.unwrap().envelopes.len(), 1);
    }

    /// Whatever was to be posted before it has been posted when the next one comes.
    async fn nothing_but_the_sentinel(&self, gateway: &mut Gateway) {
        self.acknowledge_all(&self.cara).await;
        self.send(&self.cara, 0).await;
        let posted = gateway.next().await;
        assert_eq!(posted.body, body("cara-token", "silent"));
        posted.answer("200 OK").await;
    }

    /// Waits until so many wake-ups ended like this.
    async fn counted(&self, outcome: &str, count: u64) {
        let line = format!("wardline_relay_wake_ups_total{{outcome=\"{outcome}\"}} {count}\n");
        while !self.world.relay.metrics().contains(&line) {
            tokio::task::yield_now().await;
        }
    }
}

fn registration(token: &str) -> PushRegistration {
    PushRegistration::new(token, TOPIC).unwrap()
}

fn body(token: &str, class: &str) -> String {
    format!(r#"{{"token":"{token}","topic":"{TOPIC}","class":"{class}"}}"#)
}

const TOPIC: &str = "apns:example.app";
const HOUR: Duration = Duration::from_secs(3600);
