//! Who may ask how much in a time. Kept in memory: a restart fills every quota again.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    Quota, RateLimiter, clock::Clock as _, middleware::NoOpMiddleware,
    state::keyed::DashMapStateStore,
};
use wardline_org::{
    Clock, DeviceId,
    call::Caller,
    connect::{Refusal, RelayCode},
};

use crate::{
    config::{Quotas, Rate},
    storage::OrgKey,
};

/// The quotas of all callers.
pub(crate) struct Meter {
    devices: Limiter<(OrgKey, DeviceId)>,
    organizations: Limiter<OrgKey>,
    enrollments: Limiter<OrgKey>,
    receipts: Limiter<OrgKey>,
}

impl Meter {
    pub(crate) fn new(quotas: &Quotas, clock: Arc<dyn Clock>) -> Self {
        Self {
            devices: Limiter::new(quotas.device, Arc::clone(&clock)),
            organizations: Limiter::new(quotas.organization, Arc::clone(&clock)),
            enrollments: Limiter::new(quotas.enrollments, Arc::clone(&clock)),
            receipts: Limiter::new(quotas.enrollments, clock),
        }
    }

    /// Takes what a call of a known caller costs.
    pub(crate) fn charge(&self, org: OrgKey, caller: Caller, units: u32) -> Result<(), Refusal> {
        if let Caller::Device(device) = caller {
            self.devices.take((org, device), units)?;
        }
        self.organizations.take(org, units)
    }

    /// Takes what a call of somebody unknown costs.
    pub(crate) fn charge_enrollment(&self, org: OrgKey) -> Result<(), Refusal> {
        self.enrollments.take(org, 1)
    }

    /// Takes what the receipt of a wiped device costs: as much as an enrollment, from a measure of its own,
    /// so that neither can be starved through the other.
    pub(crate) fn charge_receipt(&self, org: OrgKey) -> Result<(), Refusal> {
        self.receipts.take(org, 1)
    }

    /// Forgets who has not called for a while.
    pub(crate) fn shrink(&self) {
        self.devices.limiter.retain_recent();
        self.organizations.limiter.retain_recent();
        self.enrollments.limiter.retain_recent();
        self.receipts.limiter.retain_recent();
    }
}

/// What a call costs: see [`Quotas`].
pub(crate) fn units(body: usize, devices: usize, submissions: usize) -> u32 {
    u32::try_from(submissions.max(1) + body / BODY_PER_UNIT + devices / DEVICES_PER_UNIT)
        .unwrap_or(u32::MAX)
}

struct Limiter<K: std::hash::Hash + Eq + Clone> {
    limiter: RateLimiter<K, DashMapStateStore<K>, Ticks, NoOpMiddleware<Duration>>,
    burst: NonZeroU32,
}

impl<K: std::hash::Hash + Eq + Clone> Limiter<K> {
    fn new(rate: Rate, clock: Arc<dyn Clock>) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        Self {
            limiter: RateLimiter::new(quota, DashMapStateStore::default(), Ticks(clock)),
            burst: rate.burst,
        }
    }

    fn take(&self, key: K, units: u32) -> Result<(), Refusal> {
        // A call that costs more than the burst would never be served: it costs the whole burst.
        let units = NonZeroU32::new(units)
            .unwrap_or(NonZeroU32::MIN)
            .min(self.burst);
        match self.limiter.check_key_n(&key, units) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => Err(Refusal::new(RelayCode::Quota)
                .with_retry_after(until.wait_time_from(self.limiter.clock().now()))),
            Err(_) => Err(Refusal::new(RelayCode::Quota)),
        }
    }
}

/// The relay's own monotonic clock, as governor reads one.
#[derive(Clone)]
struct Ticks(Arc<dyn Clock>);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

const BODY_PER_UNIT: usize = 64 * 1024;
const DEVICES_PER_UNIT: usize = 50;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use wardline_org::{ManualClock, Timestamp};

    use super::*;

    #[test]
    fn quota_names_the_time_after_which_it_serves_again() {
        let clock = Arc::new(ManualClock::new(Timestamp::default()));
        let quotas = Quotas {
            device: Rate::new(2, 4),
            ..Quotas::default()
        };
        let meter = Meter::new(&quotas, clock.clone());
        let (org, one) = (OrgKey::from_row(1), Caller::Device(device(1)));
        meter.charge(org, one, 4).unwrap();
        let refusal = meter.charge(org, one, 1).unwrap_err();
        assert_eq!(refusal.code, RelayCode::Quota);
        let wait = refusal.retry_after.unwrap();
        assert_eq!(wait, Duration::from_millis(500));

        // Another device is not affected; the first is served when its time has come.
        meter.charge(org, Caller::Device(device(2)), 4).unwrap();
        clock.advance(wait);
        meter.charge(org, one, 1).unwrap();
    }

    #[test]
    fn call_above_the_burst_is_served_when_the_quota_is_full() {
        let clock = Arc::new(ManualClock::new(Timestamp::default()));
        let quotas = Quotas {
            device: Rate::new(1, 2),
            ..Quotas::default()
        };
        let meter = Meter::new(&quotas, clock.clone());
        let (org, one) = (OrgKey::from_row(1), Caller::Device(device(1)));
        meter.charge(org, one, 1_000).unwrap();
        let wait = meter.charge(org, one, 1_000).unwrap_err().retry_after;
        clock.advance(wait.unwrap());
        meter.charge(org, one, 1_000).unwrap();
    }

    #[test]
    fn whole_organization_has_one_quota() {
        let clock = Arc::new(ManualClock::new(Timestamp::default()));
        let quotas = Quotas {
            organization: Rate::new(1, 2),
            ..Quotas::default()
        };
        let meter = Meter::new(&quotas, clock);
        let org = OrgKey::from_row(1);
        meter.charge(org, Caller::Device(device(1)), 1).unwrap();
        meter.charge(org, Caller::Authority, 1).unwrap();
        meter.charge(org, Caller::Device(device(2)), 1).unwrap_err();
        let other = OrgKey::from_row(2);
        meter.charge(other, Caller::Device(device(2)), 1).unwrap();
    }

    #[test]
    fn large_calls_cost_more() {
        assert_eq!(units(10, 3, 0), 1);
        assert_eq!(units(10, 3, 1), 1);
        assert_eq!(units(8 * 1024 * 1024, 10_000, 0), 1 + 128 + 200);
        assert_eq!(units(10, 3, 1_000), 1_000);
    }

    fn device(number: u8) -> DeviceId {
        DeviceId::from_bytes([number; 16])
    }
}
