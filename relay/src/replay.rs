//! Calls that were carried out, so that none is carried out twice.
//!
//! What is in memory here is on disk as well: a call is answered only once its mark is durable, and a
//! restart reads the marks back. After a call's window has passed its age refuses it, and the mark goes.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
};

use wardline_org::{
    Hash, Timestamp,
    call::{Caller, VerifiedCall},
};

use crate::storage::CallMark;

/// The calls of one organization, by the moment after which they may be forgotten.
#[derive(Debug, Default)]
pub(crate) struct SeenCalls {
    by_end: Mutex<BTreeMap<Timestamp, HashSet<Hash>>>,
}

impl SeenCalls {
    pub(crate) fn new(marks: Vec<CallMark>) -> Self {
        let seen = Self::default();
        for mark in marks {
            seen.is_new(mark);
        }
        seen
    }

    /// Remembers a call; `false` when it was here before.
    pub(crate) fn is_new(&self, mark: CallMark) -> bool {
        self.lock()
            .entry(mark.until)
            .or_default()
            .insert(mark.digest)
    }

    /// Whether a call was here before; it is not remembered by asking.
    pub(crate) fn knows(&self, mark: CallMark) -> bool {
        let by_end = self.lock();
        by_end
            .get(&mark.until)
            .is_some_and(|marks| marks.contains(&mark.digest))
    }

    /// Forgets the calls that the window refuses by now.
    pub(crate) fn forget(&self, now: Timestamp) {
        let mut by_end = self.lock();
        *by_end = by_end.split_off(&now);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Timestamp, HashSet<Hash>>> {
        self.by_end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The mark of a call. The same signed call always has the same one.
pub(crate) fn mark(call: &VerifiedCall) -> CallMark {
    let caller = match &call.caller {
        Caller::Device(device) => device.as_bytes().as_slice(),
        Caller::Authority => &[],
    };
    let length = [u8::try_from(caller.len()).unwrap_or(u8::MAX)];
    CallMark {
        digest: Hash::tagged("relay-call", &[&length, caller, call.nonce.as_bytes()]),
        until: call.remember_until,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_is_new_once_and_again_after_it_was_forgotten() {
        let end = Timestamp::from_millis(1_000);
        let mark = CallMark {
            digest: Hash::of(b"call"),
            until: end,
        };
        let seen = SeenCalls::new(vec![mark]);
        assert!(!seen.is_new(mark));
        seen.forget(end);
        assert!(!seen.is_new(mark));
        seen.forget(Timestamp::from_millis(1_001));
        assert!(seen.is_new(mark));
    }
}
