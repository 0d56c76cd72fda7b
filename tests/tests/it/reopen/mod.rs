//! What was written is there, and works, when every handle and cache is gone: table by table.
//!
//! Each case writes its table, closes the device, opens it again from its files, and lets what reads
//! that table do its work. A table of the schema without a case is a failure.

mod held;
mod own;
mod said;
mod way_in;
mod way_out;

use std::{sync::Arc, time::Duration};

use wardline::testing;
use wardline_org::{ManualClock, Transport};
use wardline_proto::{Message, v1};
use wardline_tests::{Phone, Ward, settle, to};

macro_rules! cases {
    ($($room:ident::$table:ident: $test:ident;)+) => {
        /// The tables with a case.
        const COVERED: &[&str] = &[$(stringify!($table)),+];
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$room::$table(stringify!($table)).await;
            }
        )+
    };
}

mod cases {
    cases! {
        way_in::amendment: what_was_corrected_is_as_it_was_and_is_corrected_again;
        way_in::answer: who_has_accepted_is_as_it_was_and_counts_what_comes;
        own::audit: the_audit_chain_goes_on_where_it_stopped;
        way_in::base_key: a_start_that_was_opened_opens_no_second_session;
        said::choice: who_chose_what_is_as_it_was_and_goes_on;
        way_in::control: what_waited_for_a_session_is_said_later;
        own::conversation: conversations_and_drafts_are_as_they_were;
        own::device: a_stranger_reaches_the_same_identity_through_keys_offered_before;
        own::entry: who_is_proven_absent_stays_so_without_the_network;
        way_out::envelope_device: an_envelope_is_sealed_again_for_the_device_it_was_for;
        held::escalation: what_is_escalated_is_as_it_was_and_is_stopped;
        held::escalation_device: for_whom_it_is_held_is_as_it_was;
        held::escalation_tier: what_became_of_tiers_is_as_it_was;
        own::event: unconfirmed_events_come_again_and_confirmed_ones_do_not;
        said::forward: what_was_forwarded_is_proven_later_and_taken_back_with_its_source;
        held::hold_key: what_was_sealed_to_a_hold_key_opens_later;
        way_out::idempotency: an_idempotency_key_is_remembered;
        way_in::mailbox: the_mailbox_is_read_from_where_it_was_left;
        way_in::message: messages_are_as_they_were;
        way_in::notice: what_nobody_was_told_of_is_noticed_later;
        way_in::opened_envelope: an_envelope_that_was_opened_is_known;
        way_out::outbox: what_waits_to_be_sealed_leaves_and_arrives;
        said::pass: a_recall_finds_what_passed_it_on;
        way_in::purge: what_was_taken_back_is_purged_after_the_unlock;
        own::reach: who_said_what_is_known_without_the_network_and_what_was_not_told_is_told;
        way_in::recall: a_tombstone_stays_a_tombstone;
        way_in::receipt: receipts_that_were_owed_are_given;
        way_out::recipient: deliveries_are_as_they_were_and_go_on;
        way_in::refused_envelope: what_did_not_open_is_asked_for;
        way_in::reminder: reminders_go_on_in_step;
        way_out::sent_envelope: a_message_is_sealed_again_for_who_asks;
        way_out::session: sealed_at_once_and_opened_at_once;
        held::stop: an_answer_that_waits_still_stops_it;
        way_out::submission: what_was_sealed_is_posted_as_it_was;
        own::trust: an_older_directory_is_still_refused;
        way_out::withdrawal: what_was_taken_back_is_withdrawn_from_the_relay;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_table_of_the_schema_has_a_case() {
        let mut ward = super::Ward::open(&["NS-1"]).await;
        let nurse = ward.phone("NS-1").await;
        let tables = super::testing::tables(&nurse.client).await.unwrap();
        assert_eq!(tables, COVERED);
    }
}

/// Two people's devices that have met, at a time that stands still.
struct Pair {
    ward: Ward,
    clock: Arc<ManualClock>,
    nurse: Phone,
    doctor: Phone,
}

async fn pair() -> Pair {
    let clock = Arc::new(ManualClock::new(START));
    let mut ward = Ward::open_at(&["NS-1", "DR-1", "PH-1"], Arc::clone(&clock) as _).await;
    let nurse = ward.phone("NS-1").await;
    let doctor = ward.phone("DR-1").await;
    settle(&[&nurse, &doctor], 1).await;
    nurse.say(to(&doctor), "Good morning").await;
    settle(&[&nurse, &doctor, &nurse], 2).await;
    Pair {
        ward,
        clock,
        nurse,
        doctor,
    }
}

async fn rows(phone: &Phone, table: &str) -> Vec<String> {
    testing::rows(&phone.client, table, "*").await.unwrap()
}

/// Closes and opens; what the table held is there to the byte, and there was something.
async fn cold(ward: &Ward, phone: Phone, table: &str) -> Phone {
    let before = rows(&phone, table).await;
    assert!(!before.is_empty(), "{table} is empty");
    let phone = ward.reopen(phone).await;
    assert_eq!(rows(&phone, table).await, before);
    phone
}

/// Fetches once and does nothing else, as a host does that is suspended right after.
async fn only_fetch(ward: &Ward, phone: &Phone, change: impl Fn(&mut v1::ReceiveResponse)) {
    let pending = phone.client.pending_requests().await.unwrap();
    let fetch = pending
        .into_iter()
        .find(|pending| pending.id.to_string().starts_with("receive-"))
        .unwrap();
    let mut answer = ward.relay().local().call(fetch.request).await.unwrap();
    let mut batch = v1::ReceiveResponse::decode(answer.body.clone()).unwrap();
    change(&mut batch);
    answer.body = batch.encode_to_vec().into();
    phone.client.complete(fetch.id, answer).await.unwrap();
}

fn alter(envelope: &mut v1::Envelope) {
    let mut content = envelope.content.to_vec();
    if let Some(last) = content.last_mut() {
        *last ^= 1;
    }
    envelope.content = content.into();
}

const START: wardline_org::Timestamp = wardline_org::Timestamp::from_millis(1_795_000_000_000);
/// After this long a device without keys is asked about again.
const KEYLESS_PAUSE: Duration = Duration::from_secs(301);
