//! Three clocks, and what they say together of a message that ends at some time.
//!
//! No clock is believed alone: the device's own may have been set by whoever holds it, the authority's stands still
//! while nobody hears of a newer head, the relay's is the relay's word. What any of them calls over is hidden; what
//! two call over is erased; what was hidden is shown again only when none of them calls it over and the other two were
//! heard anew. So nobody's clock alone destroys or revives.
//!
//! Not its concern: reading the clocks (`client`), and what hiding and erasing are ([`super::expiry`]).

use wardline_org::Timestamp;

/// What three clocks show at one moment. One that was never heard shows [`Clocks::UNHEARD`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clocks {
    /// The device's own wall clock.
    pub(crate) device: Timestamp,
    /// When the newest verified head was issued, and the time that has passed since it was heard of: never ahead of
    /// the truth.
    pub(crate) authority: Timestamp,
    /// What the relay said last, and the time that has passed since, never outside of what that head allows.
    pub(crate) relay: Timestamp,
    /// Authority and relay were heard anew, a moment ago.
    pub(crate) fresh: bool,
}

impl Clocks {
    /// Before every time.
    pub(crate) const UNHEARD: Timestamp = Timestamp::from_millis(i64::MIN);

    /// The device's clock alone, as before anybody was heard.
    pub(crate) const fn device_only(now: Timestamp) -> Self {
        Self {
            device: now,
            authority: Self::UNHEARD,
            relay: Self::UNHEARD,
            fresh: false,
        }
    }

    /// What is over by this is over by at least one clock: nobody is shown it. A time that must not be too early, such
    /// as the one from which a lifetime counts, is taken from here too.
    pub(crate) fn latest(&self) -> Timestamp {
        self.device.max(self.authority).max(self.relay)
    }

    /// What is over by this is over by at least two clocks: the middle one of the three.
    pub(crate) fn agreed(&self) -> Timestamp {
        let [mut low, mut middle, high] = [self.device, self.authority, self.relay];
        if low > middle {
            std::mem::swap(&mut low, &mut middle);
        }
        middle.min(high).max(low)
    }

    /// What is to be done with a message that ends at `end`.
    pub(crate) fn verdict(&self, end: Timestamp, hidden: bool) -> Verdict {
        if self.agreed() >= end {
            Verdict::Erase
        } else if self.latest() >= end {
            Verdict::Hide
        } else if !hidden {
            Verdict::Show
        } else if self.fresh {
            Verdict::ShowAgain
        } else {
            Verdict::Hide
        }
    }
}

/// What is to be done with a message that has a lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It lives.
    Show,
    /// Nobody is shown it, and nothing of it is destroyed.
    Hide,
    /// A clock was wrong when it was hidden: it lives.
    ShowAgain,
    /// It is over for good.
    Erase,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const END: Timestamp = Timestamp::from_millis(1_000_000);
    const BEFORE: Timestamp = Timestamp::from_millis(999_999);

    fn clocks(over: [bool; 3], fresh: bool) -> Clocks {
        let [device, authority, relay] = over.map(|over| if over { END } else { BEFORE });
        Clocks {
            device,
            authority,
            relay,
            fresh,
        }
    }

    // Every case there is: which clocks call it over, whether it is hidden, whether the others were heard anew.
    #[test]
    fn what_is_done_depends_on_how_many_clocks_call_it_over() {
        for over in 0..8_u8 {
            let over = [over & 1 != 0, over & 2 != 0, over & 4 != 0];
            for hidden in [false, true] {
                for fresh in [false, true] {
                    let expected = match over.iter().filter(|over| **over).count() {
                        0 if !hidden => Verdict::Show,
                        0 if fresh => Verdict::ShowAgain,
                        0 | 1 => Verdict::Hide,
                        _ => Verdict::Erase,
                    };
                    let verdict = clocks(over, fresh).verdict(END, hidden);
                    assert_eq!(verdict, expected, "{over:?} {hidden} {fresh}");
                }
            }
        }
    }

    #[test]
    fn a_device_that_has_heard_nobody_hides_and_erases_nothing() {
        let alone = Clocks::device_only(END);
        assert_eq!(alone.verdict(END, false), Verdict::Hide);
        assert_eq!(
            Clocks::device_only(BEFORE).verdict(END, false),
            Verdict::Show
        );
        assert_eq!(
            Clocks::device_only(BEFORE).verdict(END, true),
            Verdict::Hide
        );
    }

    proptest! {
        // Whatever one clock shows, and whichever it is: it erases nothing before the end that the other two are right
        // about, and keeps nothing in sight after it.
        #[test]
        fn one_clock_alone_destroys_nothing_and_keeps_nothing(
            wrong in any::<i64>(), which in 0..3_usize, truth in any::<i64>(), end in any::<i64>(),
            hidden in any::<bool>(), fresh in any::<bool>(),
        ) {
            let mut shown = [truth; 3];
            if let Some(one) = shown.get_mut(which) {
                *one = wrong;
            }
            let [device, authority, relay] = shown.map(Timestamp::from_millis);
            let clocks = Clocks { device, authority, relay, fresh };
            prop_assert_eq!(clocks.agreed(), Timestamp::from_millis(truth));
            let verdict = clocks.verdict(Timestamp::from_millis(end), hidden);
            if truth >= end {
                prop_assert_eq!(verdict, Verdict::Erase);
            } else {
                prop_assert_ne!(verdict, Verdict::Erase);
            }
        }

        // Turning the device's clock shows nothing again that is hidden, unless the others were heard anew.
        #[test]
        fn the_devices_clock_alone_revives_nothing(
            device in any::<i64>(), authority in any::<i64>(), relay in any::<i64>(), end in any::<i64>(),
        ) {
            let [device, authority, relay] = [device, authority, relay].map(Timestamp::from_millis);
            let clocks = Clocks { device, authority, relay, fresh: false };
            let verdict = clocks.verdict(Timestamp::from_millis(end), true);
            prop_assert!(matches!(verdict, Verdict::Hide | Verdict::Erase));
        }
    }
}
