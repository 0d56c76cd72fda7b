//! A relay that is killed hands no one-time key out a second time, whoever had it the first time.

use std::{collections::BTreeSet, sync::Arc};

use tokio::task::JoinSet;
use wardline::Recipient;
use wardline_tests::crash::orders::{Order, To};

use crate::{
    gadget::Gadget,
    puppet::{Outcome, Puppet},
    stage::Stage,
};

#[tokio::test(flavor = "multi_thread")]
async fn one_time_keys_are_handed_out_once_however_often_the_relay_is_killed() {
    let mut stage = Stage::open(&["DR-1", "NS-1", "GADGET"]).await;
    let phone = stage.hospital.phone("phone", "DR-1").await;
    let doctor = phone.client.device();
    let gadget = Arc::new(Gadget::join(&mut stage.hospital, "GADGET").await);
    let mut handed_out = Vec::new();

    // Killed before and after the claim is on disk; the claimer asks again.
    for point in ["relay::claim::before_commit", "relay::claim::after_commit"] {
        for _ in 0..4 {
            stage.relay.must(Order::StopAt(point.to_owned())).await;
            let reached = Outcome::Reached(point.to_owned());
            tokio::select! {
                stopped = stage.relay.outcome() => assert_eq!(stopped, reached),
                claimed = gadget.claim(doctor) => panic!("{point} is not reached: {claimed:?}"),
            }
            stage.restart_relay().await;
            handed_out.extend(gadget.claim(doctor).await.unwrap());
        }
    }
    // Killed while many claim at once; what was answered was handed out.
    for _ in 0..3 {
        let mut claims = JoinSet::new();
        for _ in 0..8 {
            let gadget = Arc::clone(&gadget);
            claims.spawn(async move { gadget.claim(doctor).await });
        }
        let first = claims.join_next().await.unwrap().unwrap();
        stage.relay.kill().await;
        handed_out.extend(first.unwrap());
        while let Some(claim) = claims.join_next().await {
            handed_out.extend(claim.unwrap().ok().flatten());
        }
        stage.relay = Puppet::relay(&stage.hospital.site).await;
    }
    let once: BTreeSet<&Vec<u8>> = handed_out.iter().collect();
    assert!(once.len() >= 11, "only {} keys", once.len());
    assert_eq!(once.len(), handed_out.len(), "a key was handed out twice");

    // Whoever gets one of the rest reaches the device.
    let mut nurse = stage.hospital.device("nurse", "NS-1").await;
    let to = To::Person("DR-1".into());
    let texts = vec!["K 6.6".to_owned()];
    nurse.must(Order::Send { to, texts }).await;
    nurse.must(Order::Sync).await;
    phone.client.sync_once().await.unwrap();
    assert_eq!(phone.texts(phone.with("NS-1")).await, ["K 6.6"]);
    assert!(phone.refusals().await.is_empty());
    phone
        .say(Recipient::Person("NS-1".parse().unwrap()), "Seen")
        .await;
    phone.client.sync_once().await.unwrap();
    nurse.must(Order::Sync).await;
    let seen = nurse.look(&[To::Person("DR-1".into())]).await;
    assert_eq!(seen.texts[0].len(), 2);
}
