//! The points at which a test may end the process: before and after everything that changes a state.
//!
//! Each kind of step, of call and of other work on disk has two points, named in one table that is also
//! the list the tests walk through. With the feature `failpoints` reaching one does what the test has
//! said (see the crate `fail`); without it they are nothing.
//!
//! Not its concern: what the steps do, and what must be true after a death at one of them.

macro_rules! points {
    ($($(#[$doc:meta])* $group:ident {
        $($kind:ident => $before:literal, $after:literal;)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub(crate) enum $group {
                $($kind),*
            }

            impl $group {
                /// It is about to become true.
                pub(crate) fn before(self) {
                    fail::fail_point!(match self { $(Self::$kind => $before),* });
                }

                /// It has become true, and nobody knows yet.
                pub(crate) fn after(self) {
                    fail::fail_point!(match self { $(Self::$kind => $after),* });
                }
            }
        )*

        /// Every failpoint that has a fixed name. Besides these, `wardline::opening::<device>` is
        /// reached with each envelope of that device, in the middle of its opening.
        #[cfg(feature = "failpoints")]
        #[doc(hidden)]
        pub const FAILPOINTS: &[&str] = &[$($($before, $after),*),*];
    };
}

points! {
    /// A transaction of the store: its changes are made, then they are on disk.
    Commit {
        Enroll => "wardline::enroll::before_commit", "wardline::enroll::after_commit";
        Unlock => "wardline::unlock::before_commit", "wardline::unlock::after_commit";
        UnlockFailed => "wardline::unlock_failed::before_commit", "wardline::unlock_failed::after_commit";
        Access => "wardline::access::before_commit", "wardline::access::after_commit";
        Send => "wardline::send::before_commit", "wardline::send::after_commit";
        Refuse => "wardline::refuse::before_commit", "wardline::refuse::after_commit";
        Answer => "wardline::answer::before_commit", "wardline::answer::after_commit";
        Recall => "wardline::recall::before_commit", "wardline::recall::after_commit";
        Purge => "wardline::purge::before_commit", "wardline::purge::after_commit";
        Withdrawn => "wardline::withdrawn::before_commit", "wardline::withdrawn::after_commit";
        Draft => "wardline::draft::before_commit", "wardline::draft::after_commit";
        Read => "wardline::read::before_commit", "wardline::read::after_commit";
        Shown => "wardline::shown::before_commit", "wardline::shown::after_commit";
        Confirm => "wardline::confirm::before_commit", "wardline::confirm::after_commit";
        Checkpoint => "wardline::checkpoint::before_commit", "wardline::checkpoint::after_commit";
        Head => "wardline::head::before_commit", "wardline::head::after_commit";
        HeadRefused => "wardline::head_refused::before_commit", "wardline::head_refused::after_commit";
        Entries => "wardline::entries::before_commit", "wardline::entries::after_commit";
        KeysMade => "wardline::keys_made::before_commit", "wardline::keys_made::after_commit";
        KeysOffered => "wardline::keys_offered::before_commit", "wardline::keys_offered::after_commit";
        Sessions => "wardline::sessions::before_commit", "wardline::sessions::after_commit";
        Seal => "wardline::seal::before_commit", "wardline::seal::after_commit";
        Posted => "wardline::posted::before_commit", "wardline::posted::after_commit";
        Receive => "wardline::receive::before_commit", "wardline::receive::after_commit";
        Bodies => "wardline::bodies::before_commit", "wardline::bodies::after_commit";
        Revoked => "wardline::revoked::before_commit", "wardline::revoked::after_commit";
        Amend => "wardline::amend::before_commit", "wardline::amend::after_commit";
        Export => "wardline::export::before_commit", "wardline::export::after_commit";
        Availability => "wardline::availability::before_commit", "wardline::availability::after_commit";
        AvailabilityTold => "wardline::availability_told::before_commit", "wardline::availability_told::after_commit";
        Reach => "wardline::reach::before_commit", "wardline::reach::after_commit";
        Remind => "wardline::remind::before_commit", "wardline::remind::after_commit";
        Expire => "wardline::expire::before_commit", "wardline::expire::after_commit";
        Lifetime => "wardline::lifetime::before_commit", "wardline::lifetime::after_commit";
    }

    /// A call to the relay: signed and not made, then answered and the answer not taken in.
    Call {
        Checkpoint => "wardline::call::before_checkpoint", "wardline::call::after_checkpoint";
        Head => "wardline::call::before_head", "wardline::call::after_head";
        Offer => "wardline::call::before_offer", "wardline::call::after_offer";
        Entries => "wardline::call::before_entries", "wardline::call::after_entries";
        Claim => "wardline::call::before_claim", "wardline::call::after_claim";
        Send => "wardline::call::before_send", "wardline::call::after_send";
        Held => "wardline::call::before_held", "wardline::call::after_held";
        Withdraw => "wardline::call::before_withdraw", "wardline::call::after_withdraw";
        Receive => "wardline::call::before_receive", "wardline::call::after_receive";
        Acknowledge => "wardline::call::before_acknowledge", "wardline::call::after_acknowledge";
        SetAvailability => "wardline::call::before_availability", "wardline::call::after_availability";
        Reachability => "wardline::call::before_reachability", "wardline::call::after_reachability";
        ConfirmWipe => "wardline::call::before_wipe_receipt", "wardline::call::after_wipe_receipt";
    }

    /// What changes on disk beside the store, or inside one of its transactions.
    Beside {
        Vault => "wardline::vault::before_write", "wardline::vault::after_write";
        Rekey => "wardline::rekey::before_write", "wardline::rekey::after_write";
        Opening => "wardline::opening::before", "wardline::opening::after";
        Index => "wardline::index::before_commit", "wardline::index::after_commit";
        Wipe => "wardline::wipe::before_mark", "wardline::wipe::after_mark";
        WipeKeys => "wardline::wipe::before_keys", "wardline::wipe::after_keys";
        WipeFiles => "wardline::wipe::before_files", "wardline::wipe::after_files";
        WipePosted => "wardline::wipe::before_posted", "wardline::wipe::after_posted";
    }
}
