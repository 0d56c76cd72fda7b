//! What every [`Storage`] must do, as tests.
//!
//! An implementation names one type, a [`Shelf`], that can open it, open it again and cut its power; the
//! macro [`storage_conformance!`](crate::storage_conformance) turns that into one test per promise:
//!
//! ```ignore
//! mod conformance {
//!     wardline_relay::storage_conformance!(MyShelf::new());
//! }
//! ```
//!
//! Speed is not tested here.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the suite is test code; what each case promises is its name"
)]

pub mod directory;
pub mod held;
pub mod keys;
pub mod mailboxes;
pub mod push;
pub mod reach;
pub mod sending;
pub mod wipes;

use std::sync::Arc;

use async_trait::async_trait;
use wardline_org::{DeviceId, EnvelopeId, Hash, Timestamp};
use wardline_proto::{Bytes, v1::Suite};

use super::{
    Acknowledgement, Cutoffs, Delivery, Epoch, MailboxLimits, MailboxPage, NewSubmission, OrgKey,
    ReceiveQuery, SendAnswer, SendBatch, SendOutcome, Storage,
};

/// Where one storage under test keeps its data.
#[async_trait]
pub trait Shelf: Send + Sync {
    /// Opens the data: empty the first time, afterwards what was left.
    async fn open(&self) -> Arc<dyn Storage>;

    /// Cuts the power: from now on [`Shelf::open`] finds what was on disk at this moment. Handles opened
    /// before are neither closed nor used again.
    async fn cut_power(&self);
}

/// One test per promise of [`Storage`], each on a fresh [`Shelf`] made by the expression.
#[macro_export]
macro_rules! storage_conformance {
    ($shelf:expr) => {
        $crate::storage_conformance!(@cases $shelf;
            directory::organizations_share_nothing,
            directory::published_directory_is_there_after_a_restart,
            directory::second_publisher_of_a_version_is_refused,
            directory::removed_entry_is_gone,
            directory::revoked_device_loses_mailbox_and_keys,
            directory::enrollment_waits_until_a_head_answers_it,
            directory::ticket_enrolls_one_device,
            directory::enrolling_again_takes_the_earlier_place_under_a_new_number,
            directory::call_is_remembered_across_a_power_cut,
            directory::forgotten_after_their_time,
            keys::one_time_key_is_handed_out_once,
            keys::one_time_key_is_handed_out_once_to_many_at_the_same_time,
            keys::claimed_key_stays_claimed_after_a_power_cut,
            keys::claimed_key_uploaded_again_is_not_handed_out_again,
            keys::fallback_key_answers_when_no_other_is_left,
            keys::one_claimer_gets_its_share_and_no_more,
            keys::replacing_drops_the_keys_that_wait,
            keys::too_many_keys_change_nothing,
            keys::highest_counter_is_remembered,
            sending::message_reaches_every_device,
            sending::sent_message_survives_a_power_cut,
            sending::sending_again_answers_the_same_and_delivers_nothing,
            sending::sending_again_after_everybody_acknowledged_delivers_nothing,
            sending::other_bytes_under_the_same_name_store_nothing_at_all,
            sending::two_senders_may_use_the_same_name,
            sending::full_mailbox_refuses_one_device_and_serves_the_others,
            sending::mailbox_is_full_by_bytes_too,
            sending::one_sender_fills_its_share_and_leaves_the_rest_to_others,
            sending::many_senders_at_once_leave_no_gap_in_the_sequences,
            mailboxes::page_holds_what_was_asked_for,
            mailboxes::large_envelopes_come_one_at_a_time,
            mailboxes::unacknowledged_envelopes_come_again,
            mailboxes::acknowledged_envelopes_are_gone_and_sequences_go_on,
            mailboxes::nobody_can_acknowledge_what_was_not_handed_out,
            mailboxes::acknowledgement_of_another_epoch_deletes_nothing,
            mailboxes::withdrawn_envelope_is_never_handed_out,
            mailboxes::withdrawing_after_it_was_handed_out_takes_nothing,
            mailboxes::only_the_sender_withdraws,
            mailboxes::content_goes_with_its_last_envelope,
            mailboxes::old_messages_are_not_handed_out_and_then_deleted,
            mailboxes::device_ahead_of_its_mailbox_starts_a_new_epoch,
            mailboxes::renewed_epochs_hand_everything_out_again,
            wipes::wipe_order_and_receipt_survive_a_power_cut,
            wipes::wipe_order_given_again_is_one_order_and_its_first_receipt_stays,
            wipes::wiped_device_loses_its_mailbox,
            push::registration_is_there_after_a_power_cut,
            push::later_registration_takes_the_earlier_place,
            push::unregistered_device_is_forgotten,
            push::device_of_another_organization_is_another_one,
            push::revoked_device_is_woken_no_more,
            push::device_that_is_to_be_wiped_can_be_woken_until_its_receipt_comes,
            push::token_that_is_gone_is_forgotten_and_a_newer_one_is_kept,
            push::what_waits_is_counted_until_it_is_acknowledged,
            reach::what_people_said_survives_a_power_cut,
            reach::later_word_takes_the_earlier_place,
            reach::word_of_a_revoked_device_is_forgotten,
            reach::word_is_kept_until_its_end,
            reach::last_call_of_a_device_is_remembered,
            held::what_is_held_and_what_was_released_survive_a_power_cut,
            held::tier_is_released_once_by_many_at_the_same_time,
            held::answer_and_what_it_stops_are_one,
            held::answer_and_release_at_the_same_time_have_one_winner,
            held::declined_tier_is_released_with_the_answer_once,
            held::answer_without_room_stops_nothing,
            held::answer_under_a_used_name_stops_nothing,
            held::deposit_of_another_organization_is_another_one,
            held::deposit_that_cannot_be_kept_stores_nothing,
            held::content_is_kept_once_for_all_tiers_and_deleted_when_it_is_over,
            held::deposit_is_deleted_after_its_end_and_not_while_it_waits,
        );
    };
    (@cases $shelf:expr; $($part:ident :: $case:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $case() {
            let shelf = $shelf;
            $crate::storage::conformance::$part::$case(&shelf).await;
        }
    )+};
}

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
pub(crate) const ROOMY: MailboxLimits = MailboxLimits {
    envelopes: 1_000,
    bytes: 1_000_000,
    sender_percent: 100,
};

pub(crate) async fn mercy(storage: &dyn Storage) -> OrgKey {
    storage
        .organization(&"mercy".parse().unwrap())
        .await
        .unwrap()
}

pub(crate) fn device(number: u8) -> DeviceId {
    DeviceId::from_bytes([number; 16])
}

/// An envelope id with a number in it.
pub(crate) fn envelope(number: u16) -> EnvelopeId {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    bytes[6] = 0x70;
    bytes[8] = 0x80;
    EnvelopeId::from_slice(&bytes).unwrap()
}

pub(crate) fn submission(number: u16, content: &'static [u8], to: &[DeviceId]) -> NewSubmission {
    NewSubmission {
        envelope: envelope(number),
        digest: Hash::of(content),
        content: Bytes::from_static(content),
        deliveries: to
            .iter()
            .map(|device| Delivery {
                device: *device,
                suite: Suite::OlmV2,
                olm_type: 1,
                ciphertext: Bytes::copy_from_slice(device.as_bytes()),
            })
            .collect(),
        refused: Vec::new(),
        deposit: None,
    }
}

pub(crate) fn batch(sender: DeviceId, submissions: Vec<NewSubmission>) -> SendBatch {
    SendBatch {
        sender,
        checkpoint: 0,
        at: NOW,
        submissions,
        mailbox: ROOMY,
        deposits: 10,
    }
}

/// Sends one message that nobody refuses.
pub(crate) async fn send(
    storage: &dyn Storage,
    org: OrgKey,
    sender: DeviceId,
    submission: NewSubmission,
) -> SendOutcome {
    match storage.send(org, batch(sender, vec![submission])).await {
        Ok(SendAnswer::Accepted(mut outcomes)) => outcomes.pop().unwrap(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn query(device: DeviceId) -> ReceiveQuery {
    ReceiveQuery {
        device,
        after: 0,
        epoch: None,
        max: 100,
        max_bytes: u64::MAX,
        not_before: Timestamp::default(),
    }
}

pub(crate) async fn receive(storage: &dyn Storage, org: OrgKey, device: DeviceId) -> MailboxPage {
    storage.receive(org, query(device)).await.unwrap()
}

pub(crate) fn sequences(page: &MailboxPage) -> Vec<u64> {
    page.envelopes.iter().map(|e| e.sequence).collect()
}

pub(crate) async fn acknowledge(
    storage: &dyn Storage,
    org: OrgKey,
    device: DeviceId,
    epoch: Epoch,
    up_to: u64,
) {
    let receipt = Acknowledgement {
        device,
        up_to,
        epoch,
        checkpoint: 0,
    };
    storage.acknowledge(org, receipt).await.unwrap();
}

pub(crate) fn cutoffs(now: Timestamp) -> Cutoffs {
    Cutoffs {
        now,
        submissions: now,
        enrollments: now,
        window: 0,
        max: 100,
    }
}
