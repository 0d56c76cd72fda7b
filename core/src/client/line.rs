//! What is known about the line to the relay, in memory: asked again after every open.
//!
//! Not its concern: what must survive the process, which is in the store.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use wardline_proto::v1;

use super::{asks, requests::RequestId};

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
    /// The app has been told that this device is revoked.
    pub(super) revocation_told: bool,
    /// Envelopes that did not open, and how often they have been fetched.
    pub(super) doubts: HashMap<u64, u32>,
    /// When the head was last asked for, by the monotonic clock.
    pub(super) head_asked_at: Option<Duration>,
    /// What has been dealt with and not acknowledged.
    pub(super) acknowledge: Option<v1::AcknowledgeRequest>,
    /// Calls that a host carries, the oldest first.
    pub(super) asks: VecDeque<(RequestId, asks::Ask)>,
}

impl Line {
    /// Forgets what was known about the file that was let go of; the relay is asked again.
    pub(super) fn open_again(&mut self) {
        *self = Self {
            opened: self.opened.wrapping_add(1),
            head_hint: self.head_hint,
            revocation_told: self.revocation_told,
            ..Self::default()
        };
    }
}
