//! What is said with one tap, or of what somebody else has said.

use std::time::Duration;

use wardline::Draft;
use wardline_tests::{settle, text, to};

use super::{Pair, cold, pair};

pub(super) async fn choice(table: &str) {
    let Pair {
        ward,
        clock,
        nurse,
        doctor,
    } = pair().await;
    let draft = Draft::new(to(&doctor), text(1)).offer(["Yes", "No"]);
    let asked = nurse.client.send(draft).await.unwrap();
    let asked = nurse.reference(asked);
    settle(&[&nurse, &doctor], 1).await;
    doctor.client.reply_with(asked, 0).await.unwrap();
    settle(&[&doctor, &nurse], 1).await;
    let nurse = cold(&ward, nurse, table).await;
    nurse.unlock().await;
    let chosen = async || -> Vec<(u32, bool)> {
        let choices = nurse.client.choices(asked).await.unwrap();
        choices.iter().map(|one| (one.index, one.stands)).collect()
    };
    assert_eq!(chosen().await, [(0, true)]);
    clock.advance(Duration::from_secs(1));
    doctor.client.reply_with(asked, 1).await.unwrap();
    settle(&[&doctor, &nurse], 1).await;
    assert_eq!(chosen().await, [(0, false), (1, true)]);
}
