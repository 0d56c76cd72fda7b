//! A device, or the relay, is killed at every named point of its code: nothing is lost, nothing is doubled,
//! nothing is broken, and no point is in the list that cannot be reached.

use std::time::Duration;

use wardline_tests::crash::orders::Order;

use crate::{
    gadget::{Gadget, Held},
    plays::{DOCTOR, NURSE, Play, Ward},
    puppet::Outcome,
    stage::Stage,
};

// scenario: kill-and-reopen
#[tokio::test(flavor = "multi_thread")]
async fn a_device_killed_at_any_point_loses_and_doubles_nothing() {
    let mut stage = Stage::open(&[NURSE, DOCTOR]).await;
    let doctor = stage.hospital.phone("doctor", DOCTOR).await;
    drop(stage.hospital.device(NURSE, NURSE).await);
    let mut ward = Ward {
        hospital: &mut stage.hospital,
        doctor: &doctor,
    };
    for (number, point) in wardline::FAILPOINTS.iter().enumerate() {
        let play = play_of(point);
        ward.prepare(play, number).await;
        let survivor = ward.play(play, number, Some(point)).await;
        assert!(survivor.is_none(), "{point} is not reached");
        let device = ward.play(play, number, None).await.unwrap();
        ward.check(play, number, device).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_killed_at_any_point_loses_and_doubles_nothing() {
    let mut stage = Stage::open(&[NURSE, DOCTOR, "GADGET"]).await;
    let doctor = stage.hospital.phone("doctor", DOCTOR).await;
    let gadget = Gadget::join(&mut stage.hospital, "GADGET").await;
    for (number, point) in wardline_relay::FAILPOINTS.iter().enumerate() {
        if point.contains("wipe") {
            wiped_meanwhile(&mut stage, number, point).await;
            continue;
        }
        if point.contains("release") || point.contains("answer_held") {
            held_meanwhile(&mut stage, &gadget, point).await;
            continue;
        }
        let mut ward = Ward {
            hospital: &mut stage.hospital,
            doctor: &doctor,
        };
        ward.prepare(Play::Newcomer, number).await;
        let envelope = gadget.send_to_itself().await.unwrap();
        stage.relay.must(Order::StopAt((*point).to_owned())).await;
        let reached = Outcome::Reached((*point).to_owned());
        if point.contains("expire") {
            assert_eq!(stage.relay.obey(&Order::Sweep).await, reached);
        } else if point.contains("withdraw") {
            tokio::select! {
                stopped = stage.relay.outcome() => assert_eq!(stopped, reached),
                withdrawn = gadget.withdraw(envelope.clone()) => panic!("{point} is not reached: {withdrawn:?}"),
            }
        } else {
            tokio::select! {
                stopped = stage.relay.outcome() => assert_eq!(stopped, reached),
                _ = ward.play(Play::Newcomer, number, None) => panic!("{point} is not reached"),
            }
        }
        stage.restart_relay().await;
        stage.relay.must(Order::Sweep).await;
        assert_eq!(gadget.withdraw(envelope).await.unwrap(), 1, "{point}");
        let mut ward = Ward {
            hospital: &mut stage.hospital,
            doctor: &doctor,
        };
        let device = ward.play(Play::Newcomer, number, None).await.unwrap();
        ward.check(Play::Newcomer, number, device).await;
    }
}

/// A device is wiped while the relay is killed at a point of that: the order and the receipt arrive all the same.
async fn wiped_meanwhile(stage: &mut Stage, number: usize, point: &str) {
    let person = format!("LOST-{number}");
    stage.hospital.hire(&person).await;
    let mut device = stage.hospital.device(&person, &person).await;
    let reached = Outcome::Reached(point.to_owned());
    if point.contains("receipt") {
        stage.hospital.order_wipes(&person).await;
        stage.relay.must(Order::StopAt(point.to_owned())).await;
        device.tell(&Order::Sync);
        assert_eq!(stage.relay.outcome().await, reached);
        stage.restart_relay().await;
        let told = device.outcome().await;
        assert_eq!(told, Outcome::Failed("WL-WIPED".to_owned()));
    } else {
        stage.relay.must(Order::StopAt(point.to_owned())).await;
        tokio::select! {
            stopped = stage.relay.outcome() => assert_eq!(stopped, reached),
            () = stage.hospital.order_wipes(&person) => panic!("{point} is not reached"),
        }
        stage.restart_relay().await;
        stage.hospital.order_wipes(&person).await;
    }
    let told = device.obey(&Order::Sync).await;
    assert_eq!(told, Outcome::Failed("WL-WIPED".to_owned()), "{point}");
    assert_eq!(stage.hospital.last_receipt().await, Some(0), "{point}");
}

/// Something is held, and the relay is killed while it releases it, or while an answer stops it.
async fn held_meanwhile(stage: &mut Stage, gadget: &Gadget, point: &str) {
    let reached = Outcome::Reached(point.to_owned());
    if point.contains("release") {
        stage.relay.must(Order::StopAt(point.to_owned())).await;
        let held = Held::new(Duration::ZERO);
        tokio::select! {
            stopped = stage.relay.outcome() => assert_eq!(stopped, reached),
            () = async {
                // The answer may be lost with the relay: what is released was taken.
                let _ = gadget.hold(&held).await;
                std::future::pending().await
            } => {}
        }
        stage.restart_relay().await;
        // Nobody asks for it: the relay finds it when it starts.
        while gadget.count(&held.tier).await < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            gadget.count(&held.tier).await,
            2,
            "{point}: once, and a notice"
        );
    } else {
        let held = Held::new(Duration::from_secs(3600));
        gadget.hold(&held).await.unwrap();
        stage.relay.must(Order::StopAt(point.to_owned())).await;
        tokio::select! {
            stopped = stage.relay.outcome() => assert_eq!(stopped, reached),
            stopped = gadget.stop(&held) => panic!("{point} is not reached: {stopped:?}"),
        }
        stage.restart_relay().await;
        assert!(gadget.stop(&held).await.unwrap(), "{point}");
        assert_eq!(gadget.count(&held.answer).await, 1, "{point}");
        assert_eq!(gadget.count(&held.tier).await, 0, "{point}");
    }
}

fn play_of(point: &str) -> Play {
    let first_day = [
        "vault",
        "::enroll",
        "keys_made",
        "keys_offered",
        "offer",
        "claim",
        "sessions",
        "_reachability",
    ];
    if point.contains("wipe") {
        Play::Wiped
    } else if point.contains("revoked") {
        Play::Revoked
    } else if first_day.iter().any(|word| point.contains(word)) {
        Play::Newcomer
    } else {
        Play::Shift
    }
}
