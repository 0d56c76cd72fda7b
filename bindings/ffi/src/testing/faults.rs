//! A network that fails, between any device and its relay.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use wardline_relay::faults::{Fault, Faults};

use crate::host::transport::{BuiltIn, HostTransport, Transport};

/// What the calls of one device meet: each fault in so many calls of a hundred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct FaultPlan {
    /// They do not reach the relay.
    #[uniffi(default = 0)]
    pub lose_requests: u8,
    /// The relay carries them out; the answer is lost.
    #[uniffi(default = 0)]
    pub lose_answers: u8,
    /// They reach the relay twice.
    #[uniffi(default = 0)]
    pub duplicate: u8,
    /// They are overtaken by the next call.
    #[uniffi(default = 0)]
    pub reorder: u8,
    /// The answer ends early.
    #[uniffi(default = 0)]
    pub truncate: u8,
    /// A bit of the answer is flipped.
    #[uniffi(default = 0)]
    pub flip_bits: u8,
    /// The shortest time every call is held up.
    #[uniffi(default = 0)]
    pub min_delay_ms: u32,
    /// The longest time every call is held up.
    #[uniffi(default = 0)]
    pub max_delay_ms: u32,
}

/// The switches of a faulty transport.
#[derive(uniffi::Object)]
pub struct FaultyTransport {
    faults: Arc<Faults>,
    transport: Arc<dyn Transport>,
}

/// A faulty network in front of a transport. It has no faults until it is told.
#[uniffi::export]
pub fn faulty_transport(behind: Arc<dyn Transport>) -> Arc<FaultyTransport> {
    let behind = HostTransport::new(behind, PATIENCE, CancellationToken::new());
    let faults = Arc::new(Faults::new(Arc::new(behind)));
    Arc::new(FaultyTransport {
        transport: Arc::new(BuiltIn(Arc::clone(&faults) as _)),
        faults,
    })
}

#[uniffi::export]
impl FaultyTransport {
    /// What a client is given.
    pub fn transport(&self) -> Arc<dyn Transport> {
        Arc::clone(&self.transport)
    }

    /// No call comes through.
    pub fn cut(&self) {
        self.faults.cut();
    }

    /// Calls come through again, and meet nothing.
    pub fn mend(&self) {
        self.faults.mend();
    }

    /// From now on calls meet these faults; the same seed is the same run.
    pub fn set_plan(&self, plan: FaultPlan, seed: u64) {
        self.faults.mend();
        let rates = [
            (Fault::Unreachable, plan.lose_requests),
            (Fault::AnswerLost, plan.lose_answers),
            (Fault::Twice, plan.duplicate),
            (Fault::Overtaken, plan.reorder),
            (Fault::Truncated, plan.truncate),
            (Fault::BitFlipped, plan.flip_bits),
        ];
        let rates = rates.map(|(fault, rate)| (fault, u64::from(rate)));
        self.faults.set(&rates, seed);
        if plan.max_delay_ms > 0 {
            let millis = |millis: u32| Duration::from_millis(millis.into());
            self.faults
                .delay(millis(plan.min_delay_ms), millis(plan.max_delay_ms));
        }
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.faults.calls()
    }
}

impl std::fmt::Debug for FaultyTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FaultyTransport").finish_non_exhaustive()
    }
}

const PATIENCE: Duration = Duration::from_secs(75);
