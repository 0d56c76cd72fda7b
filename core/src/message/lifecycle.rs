//! What becomes of a message on its way to one device, as one table.
//!
//! The table is total: every happening in every state has its answer, because relays repeat
//! themselves and receipts overtake answers. Nothing ever goes back: a read message stays read.
//!
//! | state | `Posted` | `Refused` | `GivenUp` | `Delivered` | `Read` |
//! |---|---|---|---|---|---|
//! | `Queued` | Sent | Failed | Failed | Delivered | Read |
//! | `Sent` | Sent | Sent | Failed | Delivered | Read |
//! | `Delivered` | Delivered | Delivered | Delivered | Delivered | Read |
//! | `Read` | Read | Read | Read | Read | Read |
//! | `Failed` | Sent | Failed | Failed | Delivered | Read |

/// How far a message has come towards one device. Stored as a number: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i64)]
pub enum DeliveryState {
    /// It will not arrive, unless the device proves otherwise; the cause is kept beside it.
    Failed = 0,
    /// On this device's disk, not yet at the relay.
    Queued = 1,
    /// The relay has it on disk.
    Sent = 2,
    /// The device has it on disk and has signed for it.
    Delivered = 3,
    /// A person opened it; the device has signed for it.
    Read = 4,
}

/// What can happen to a message on its way to one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Happening {
    /// The relay accepted it.
    Posted,
    /// The relay will not take it for this device.
    Refused,
    /// The time in which it may still be sealed is over.
    GivenUp,
    /// A signed delivered receipt came.
    Delivered,
    /// A signed read receipt came.
    Read,
}

impl DeliveryState {
    /// The state after a happening.
    pub(crate) fn after(self, happening: Happening) -> Self {
        TRANSITIONS
            .iter()
            .find(|(from, by, _)| *from == self && *by == happening)
            // The table is total; the test says so.
            .map_or(self, |(_, _, to)| *to)
    }

    /// Out of the store.
    pub(crate) fn from_stored(value: i64) -> Option<Self> {
        [
            Self::Failed,
            Self::Queued,
            Self::Sent,
            Self::Delivered,
            Self::Read,
        ]
        .into_iter()
        .find(|state| *state as i64 == value)
    }
}

const TRANSITIONS: &[(DeliveryState, Happening, DeliveryState)] = {
    use DeliveryState as S;
    use Happening as H;
    &[
        (S::Queued, H::Posted, S::Sent),
        (S::Queued, H::Refused, S::Failed),
        (S::Queued, H::GivenUp, S::Failed),
        // The receipt was faster than the relay's answer, or the answer was lost.
        (S::Queued, H::Delivered, S::Delivered),
        (S::Queued, H::Read, S::Read),
        (S::Sent, H::Posted, S::Sent),
        (S::Sent, H::Refused, S::Sent),
        (S::Sent, H::GivenUp, S::Failed),
        (S::Sent, H::Delivered, S::Delivered),
        (S::Sent, H::Read, S::Read),
        (S::Delivered, H::Posted, S::Delivered),
        (S::Delivered, H::Refused, S::Delivered),
        (S::Delivered, H::GivenUp, S::Delivered),
        (S::Delivered, H::Delivered, S::Delivered),
        (S::Delivered, H::Read, S::Read),
        (S::Read, H::Posted, S::Read),
        (S::Read, H::Refused, S::Read),
        (S::Read, H::GivenUp, S::Read),
        (S::Read, H::Delivered, S::Read),
        (S::Read, H::Read, S::Read),
        // A device that signs for it has it, whatever was believed before.
        (S::Failed, H::Posted, S::Sent),
        (S::Failed, H::Refused, S::Failed),
        (S::Failed, H::GivenUp, S::Failed),
        (S::Failed, H::Delivered, S::Delivered),
        (S::Failed, H::Read, S::Read),
    ]
};

/// Why a message will not arrive at a device. Stored as a number: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i64)]
pub enum FailureCause {
    /// The directory does not know the person, or the person has left.
    NoSuchPerson = 1,
    /// The person has no device that may receive.
    NoDevice = 2,
    /// The device was revoked.
    Revoked = 3,
    /// The relay does not know the device.
    UnknownDevice = 4,
    /// The device's mailbox is full.
    MailboxFull = 5,
    /// The device never offered a key to seal for, until time was up.
    NoKeys = 6,
    /// The team has gone or has nobody but the author; it stands under the author's own name.
    NoSuchTeam = 7,
    /// The relay will not take it for anybody, however often it is posted.
    RefusedByRelay = 8,
    /// The time in which it may be sealed was over before it left.
    TimeUp = 9,
    /// Nobody holds the role and it has no custodian; it stands under the author's own name.
    NoHolder = 20,
    /// The author had not held the role for a while when it could be sealed; it stands under their own name.
    NotHolder = 21,
}

impl FailureCause {
    /// Out of the store.
    pub(crate) fn from_stored(value: i64) -> Option<Self> {
        [
            Self::NoSuchPerson,
            Self::NoDevice,
            Self::Revoked,
            Self::UnknownDevice,
            Self::MailboxFull,
            Self::NoKeys,
            Self::NoSuchTeam,
            Self::RefusedByRelay,
            Self::TimeUp,
            Self::NoHolder,
            Self::NotHolder,
        ]
        .into_iter()
        .find(|cause| *cause as i64 == value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STATES: [DeliveryState; 5] = [
        DeliveryState::Failed,
        DeliveryState::Queued,
        DeliveryState::Sent,
        DeliveryState::Delivered,
        DeliveryState::Read,
    ];
    const HAPPENINGS: [Happening; 5] = [
        Happening::Posted,
        Happening::Refused,
        Happening::GivenUp,
        Happening::Delivered,
        Happening::Read,
    ];

    #[test]
    fn the_table_is_total_and_has_no_row_twice() {
        for state in STATES {
            for happening in HAPPENINGS {
                let rows = TRANSITIONS
                    .iter()
                    .filter(|(from, by, _)| *from == state && *by == happening)
                    .count();
                assert_eq!(rows, 1, "{state:?} {happening:?}");
            }
        }
    }

    #[test]
    fn the_stored_numbers_come_back() {
        for state in STATES {
            assert_eq!(DeliveryState::from_stored(state as i64), Some(state));
        }
        assert_eq!(DeliveryState::from_stored(99), None);
    }

    proptest! {
        #[test]
        fn proof_of_delivery_is_never_forgotten(
            happenings in proptest::collection::vec(proptest::sample::select(&HAPPENINGS[..]), 0..20),
        ) {
            let end = happenings.iter().fold(DeliveryState::Queued, |state, by| state.after(*by));
            if happenings.contains(&Happening::Read) {
                prop_assert_eq!(end, DeliveryState::Read);
            } else if happenings.contains(&Happening::Delivered) {
                prop_assert_eq!(end, DeliveryState::Delivered);
            }
        }

        #[test]
        fn order_of_receipts_does_not_matter(
            mut happenings in proptest::collection::vec(proptest::sample::select(
                &[Happening::Posted, Happening::Delivered, Happening::Read][..]), 0..12),
            seed in any::<u64>(),
        ) {
            let run = |list: &[Happening]| {
                list.iter().fold(DeliveryState::Queued, |state, by| state.after(*by))
            };
            let before = run(&happenings);
            let length = happenings.len().max(1);
            for index in 0..happenings.len() {
                let other = usize::try_from(seed.rotate_left(u32::try_from(index).unwrap_or(0)) % length as u64)
                    .unwrap_or(0);
                happenings.swap(index, other);
            }
            prop_assert_eq!(run(&happenings), before);
        }
    }
}
