//! What is known about the line to the relay, in memory: asked again after every open.
//!
//! Not its concern: what must survive the process, which is in the store.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use wardline_org::{CallError, Hash, RelayCode};
use wardline_proto::v1;

use super::{asks, requests::RequestId};
use crate::error::Error;

/// What is known about the line to the relay since this open.
#[derive(Default)]
pub(super) struct Line {
    /// How often the file was taken up again.
    pub(super) opened: u64,
    pub(super) checkpoint_confirmed: bool,
    /// For how long a head counts as the newest after the relay has said so.
    pub(super) head_refresh: Duration,
    /// When the head was last confirmed as the newest, by the monotonic clock.
    pub(super) head_confirmed_at: Option<Duration>,
    /// The relay's newest head, as it mentions in passing.
    pub(super) head_hint: u64,
    /// Unclaimed one-time keys at the relay; unknown at first.
    pub(super) keys_at_relay: Option<u32>,
    /// Nothing more waited in the mailbox when it was last asked.
    pub(super) drained: bool,
    /// The last answer that was shown with a secret was over a quota.
    pub(super) held_over_quota: bool,
    /// The app has been told that this device is revoked.
    pub(super) revocation_told: bool,
    /// Wipe orders that were not believed, of which the app has been told.
    pub(super) false_orders: Vec<Hash>,
    /// Envelopes that did not open, and how often they have been fetched.
    pub(super) doubts: HashMap<u64, u32>,
    /// When the head was last asked for, by the monotonic clock.
    pub(super) head_asked_at: Option<Duration>,
    /// What has been dealt with and not acknowledged.
    pub(super) acknowledge: Option<v1::AcknowledgeRequest>,
    /// Up to where the relay was told last: the epoch of its numbers, and the number.
    pub(super) acknowledged: Option<(Vec<u8>, u64)>,
    /// Calls that a host carries, the oldest first.
    pub(super) asks: VecDeque<(RequestId, asks::Ask)>,
}

impl Line {
    /// Whether the app is to be told of a wipe order that is not believed: once of each, and of so many at
    /// most. Every call that a bad relay answers would add to events and audit otherwise.
    pub(super) fn tells_of(&mut self, false_order: Hash) -> bool {
        let tells = self.false_orders.len() < MOST_FALSE_ORDERS
            && !self.false_orders.contains(&false_order);
        if tells {
            self.false_orders.push(false_order);
        }
        tells
    }

    /// Forgets what was known about the file that was let go of; the relay is asked again.
    pub(super) fn open_again(&mut self) {
        *self = Self {
            opened: self.opened.wrapping_add(1),
            head_hint: self.head_hint,
            revocation_told: self.revocation_told,
            false_orders: std::mem::take(&mut self.false_orders),
            ..Self::default()
        };
    }
}

/// Whether the relay or the way to it is at fault, so that what is here can still be shown.
pub(super) fn is_at_fault(error: &Error) -> bool {
    match error {
        Error::Call(CallError::Refused(refusal)) => refusal.code != RelayCode::Revoked,
        Error::Call(_) | Error::Directory(_) | Error::Entries(_) => true,
        _ => false,
    }
}

/// Enough for an administrator to see that something is wrong with the relay.
const MOST_FALSE_ORDERS: usize = 16;
