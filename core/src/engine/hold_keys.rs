//! The hold keys of this device, which others seal to what it may be given later; and those of others.
//!
//! A new one is made every week. What was sealed to an older one may still be held for as long as anything is held
//! after the relay has begun to hand out the newer one, and lie in the mailbox after that: so long it is kept, and
//! not longer. Private halves are in the store and nowhere else.
//!
//! Not its concern: what is sealed to them (`session::hold`), and for whom ([`super::holding`]).

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use rusqlite::{OptionalExtension, params};
use wardline_org::{
    DeviceId, Timestamp,
    prekey::{Claim, PrekeyKind, sign_prekey, verify_prekeys},
};
use wardline_proto::v1;
use zeroize::Zeroizing;

use super::Step;
use crate::{error::Error, session::hold::HoldKey, store::StoreError};

/// The key to offer next; `None` while the newest one is at the relay and not a week old.
pub(super) fn to_offer(step: &Step<'_>) -> Result<Option<v1::SignedKey>, Error> {
    let newest: Option<(Vec<u8>, i64, bool)> = step
        .connection
        .prepare_cached(
            "SELECT public, made_at, offered FROM hold_key WHERE replaced_at IS NULL
             ORDER BY made_at DESC LIMIT 1",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let (public, made_at) = match newest {
        Some((public, made_at, false)) => {
            let damaged = |_| StoreError::Damaged { what: "hold key" };
            (public.try_into().map_err(|_| damaged(()))?, made_at)
        }
        Some((_, made_at, true)) if !is_old(step, made_at) => return Ok(None),
        _ => make(step)?,
    };
    let identity = &step.context.identity;
    Ok(Some(sign_prekey(
        identity,
        identity.device_id,
        PrekeyKind::Hold,
        &public,
        Some(Timestamp::from_millis(made_at)),
    )))
}

fn is_old(step: &Step<'_>, made_at: i64) -> bool {
    step.now().saturating_since(Timestamp::from_millis(made_at)) > ROTATION
}

fn make(step: &Step<'_>) -> Result<([u8; 32], i64), Error> {
    let key = HoldKey::generate()?;
    let made_at = step.now().as_millis();
    step.connection
        .prepare_cached("INSERT INTO hold_key (public, private, made_at) VALUES (?1, ?2, ?3)")?
        .execute(params![key.public, key.private(), made_at])?;
    Ok((key.public, made_at))
}

/// The relay hands this one out from now on, and none before it.
pub(super) fn offered(step: &Step<'_>, key: &v1::SignedKey) -> Result<(), Error> {
    step.connection
        .prepare_cached("UPDATE hold_key SET offered = 1 WHERE public = ?1")?
        .execute(params![key.key])?;
    step.connection
        .prepare_cached(
            "UPDATE hold_key SET replaced_at = ?2 WHERE public <> ?1 AND replaced_at IS NULL",
        )?
        .execute(params![key.key, step.now().as_millis()])?;
    Ok(())
}

/// The relay may have newer ones of a store that this one is an old copy of: another is made.
pub(super) fn retire(step: &Step<'_>) -> Result<(), Error> {
    step.connection
        .prepare_cached("UPDATE hold_key SET replaced_at = ?1 WHERE replaced_at IS NULL")?
        .execute(params![step.now().as_millis()])?;
    Ok(())
}

/// Forgets keys that nothing can be sealed to any more; to be called when nothing waits in the mailbox.
pub(super) fn forget_old(step: &Step<'_>) -> Result<(), Error> {
    let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
    step.connection
        .prepare_cached("DELETE FROM hold_key WHERE replaced_at < ?1")?
        .execute(params![step.now().as_millis().saturating_sub(kept)])?;
    Ok(())
}

/// Every key that something may have been sealed to, the newest first.
pub(super) fn all(step: &Step<'_>) -> Result<Vec<HoldKey>, Error> {
    let damaged = || StoreError::Damaged { what: "hold key" };
    let mut statement = step
        .connection
        .prepare_cached("SELECT private, public FROM hold_key ORDER BY made_at DESC")?;
    let mut rows = statement.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let private = Zeroizing::new(row.get::<_, Vec<u8>>(0)?);
        let public: Vec<u8> = row.get(1)?;
        keys.push(HoldKey::from_parts(&private, &public).ok_or_else(damaged)?);
    }
    Ok(keys)
}

/// The hold keys of others, remembered for a while: they are not used up.
#[derive(Debug, Default)]
pub(crate) struct HoldKeys {
    known: HashMap<DeviceId, Known>,
    wanted: BTreeSet<DeviceId>,
}

#[derive(Clone, Copy)]
struct Known {
    /// `None`: it had none to offer.
    key: Option<[u8; 32]>,
    asked_at: Timestamp,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").finish_non_exhaustive()
    }
}

impl HoldKeys {
    /// The key of a device, or `None` if it has none; an error value when it must be asked for, which is noted.
    pub(super) fn of(
        &mut self,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<Option<[u8; 32]>, Asked> {
        match self.known.get(&device) {
            Some(known) if known.is_fresh(now) => Ok(known.key),
            _ => {
                self.wanted.insert(device);
                Err(Asked)
            }
        }
    }

    /// The devices to ask for next.
    pub(crate) fn next_wanted(&mut self, most: usize) -> Vec<DeviceId> {
        let devices: Vec<DeviceId> = self.wanted.iter().take(most).copied().collect();
        for device in &devices {
            self.wanted.remove(device);
        }
        devices
    }
}

/// It has been asked for.
pub(super) struct Asked;

impl Known {
    fn is_fresh(&self, now: Timestamp) -> bool {
        let kept = if self.key.is_some() { KNOWN } else { KEYLESS };
        now >= self.asked_at && now.saturating_since(self.asked_at) < kept
    }
}

/// Takes in claimed hold keys: those that their devices signed, as the directory proves.
pub(crate) fn claimed(step: &mut Step<'_>, asked: &[Vec<u8>], answer: &v1::ClaimKeysResponse) {
    let now = step.now();
    let asked: Vec<DeviceId> = asked
        .iter()
        .filter_map(|device| DeviceId::from_slice(device).ok())
        .collect();
    let credentials = step.memory.directory.credentials();
    // A device whose entry has to be proven anew is asked for again.
    let listed: Vec<DeviceId> = asked
        .into_iter()
        .filter(|device| credentials.contains_key(device))
        .collect();
    let claims: Vec<Claim<'_>> = answer
        .hold_keys
        .iter()
        .filter_map(|hold| {
            let device = DeviceId::from_slice(&hold.device_id).ok()?;
            let credential = credentials
                .get(&device)
                .filter(|_| listed.contains(&device))?;
            Some(Claim {
                device,
                signing_key: &credential.ed25519,
                kind: PrekeyKind::Hold,
                key: hold.key.as_ref()?,
            })
        })
        .collect();
    let keys: Vec<_> = verify_prekeys(&claims)
        .into_iter()
        .filter_map(|verdict| match verdict {
            Ok(key) => Some(key),
            Err(error) => {
                tracing::warn!(%error, "a hold key is not its device's");
                None
            }
        })
        .collect();
    let known = &mut step.memory.hold_keys.known;
    for device in listed {
        let key = keys.iter().find(|key| key.device == device);
        known.insert(
            device,
            Known {
                key: key.map(|key| key.key),
                asked_at: now,
            },
        );
    }
}

const ROTATION: Duration = Duration::from_secs(7 * 24 * 3600);
/// A sender may have one in memory for a day and seal something that is held for a week, within another week.
const KEPT: Duration = Duration::from_secs(14 * 24 * 3600);
const KNOWN: Duration = Duration::from_secs(24 * 3600);
/// So soon somebody who had none is asked again: a new device offers its keys within seconds.
const KEYLESS: Duration = Duration::from_secs(60);
