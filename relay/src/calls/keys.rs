//! `UploadKeys` and `ClaimKeys`.

use std::collections::HashSet;

use wardline_org::{
    DeviceId, Refusal, RelayCode,
    prekey::{Claim, Prekey, PrekeyError, PrekeyKind, verify_prekeys},
};
use wardline_proto::v1;

use crate::{
    auth::Session,
    relay::{Core, malformed, stored, too_large},
    storage::{ClaimedPrekey, KeyClaim, KeyUpload, StoredKey, UploadOutcome},
};

impl Core {
    pub(super) async fn upload_keys(
        &self,
        session: &Session,
        request: v1::UploadKeysRequest,
    ) -> Result<v1::UploadKeysResponse, Refusal> {
        let device = session.device()?;
        let max_waiting = self.config.limits.one_time_keys;
        let too_many = || too_large(max_waiting as usize);
        if request.one_time_keys.len() > max_waiting as usize {
            return Err(too_many());
        }
        let mut keys = check_keys(session, device, &request)?.into_iter();
        let one_time: Vec<_> = keys.by_ref().take(request.one_time_keys.len()).collect();
        let fallback = request.fallback_key.and_then(|_| keys.next());
        let hold = request.hold_key.and_then(|_| keys.next());
        let distinct: HashSet<_> = one_time.iter().map(|key| key.key).collect();
        if distinct.len() != one_time.len() {
            return Err(malformed());
        }

        let upload = KeyUpload {
            one_time,
            fallback,
            hold,
            replace: request.replace,
            max_waiting,
        };
        let outcome = self.storage.upload_keys(session.org.key, device, upload);
        match outcome.await.map_err(stored)? {
            UploadOutcome::Kept(waiting) => Ok(v1::UploadKeysResponse {
                unclaimed_one_time_keys: waiting,
            }),
            UploadOutcome::TooMany => Err(too_many()),
        }
    }

    pub(super) async fn claim_keys(
        &self,
        session: &Session,
        request: &v1::ClaimKeysRequest,
    ) -> Result<v1::ClaimKeysResponse, Refusal> {
        let limit = self.config.limits.claims;
        if request.device_ids.len() + request.hold_device_ids.len() > limit {
            return Err(too_large(limit));
        }
        let targets = check_targets(session, &request.device_ids)?;
        let hold_targets = check_targets(session, &request.hold_device_ids)?;
        let claim = KeyClaim {
            claimer: session.device()?,
            targets,
            share: self.config.quotas.claims_per_day,
            window: self.claim_window(),
        };
        let keys = self
            .storage
            .claim_keys(session.org.key, claim)
            .await
            .map_err(stored)?;
        let hold = self.storage.hold_keys(session.org.key, hold_targets);
        let hold = hold.await.map_err(stored)?;
        for key in &keys {
            self.metrics.claimed(key.fallback);
        }
        Ok(v1::ClaimKeysResponse {
            keys: keys.into_iter().map(claimed).collect(),
            hold_keys: hold
                .into_iter()
                .map(|(device, key)| v1::HoldKey {
                    device_id: device.to_vec(),
                    key: Some(signed(key)),
                })
                .collect(),
        })
    }
}

/// The devices that a claim names, without those that may not call: nobody seals for them.
fn check_targets(session: &Session, ids: &[Vec<u8>]) -> Result<Vec<DeviceId>, Refusal> {
    let mut seen = HashSet::with_capacity(ids.len());
    let mut targets = Vec::with_capacity(ids.len());
    for id in ids {
        let target = DeviceId::from_slice(id).map_err(|_| malformed())?;
        if !seen.insert(target) {
            return Err(malformed());
        }
        if session.directory.device(&target).is_some_and(|d| d.active) {
            targets.push(target);
        }
    }
    Ok(targets)
}

/// Checks that the device signed every key for its use, and answers them in this order: one-time keys,
/// fallback key, hold key.
fn check_keys(
    session: &Session,
    device: DeviceId,
    request: &v1::UploadKeysRequest,
) -> Result<Vec<StoredKey>, Refusal> {
    let listed = session
        .directory
        .device(&device)
        .ok_or_else(|| Refusal::new(RelayCode::UnknownDevice))?;
    let of_kind = |kind: PrekeyKind| {
        move |key| Claim {
            device,
            signing_key: &listed.signing_key,
            kind,
            key,
        }
    };
    let claims: Vec<Claim<'_>> = request
        .one_time_keys
        .iter()
        .map(of_kind(PrekeyKind::OneTime))
        .chain(
            request
                .fallback_key
                .iter()
                .map(of_kind(PrekeyKind::Fallback)),
        )
        .chain(request.hold_key.iter().map(of_kind(PrekeyKind::Hold)))
        .collect();
    verify_prekeys(&claims)
        .into_iter()
        .zip(&claims)
        .map(|(checked, claim)| checked.map_or_else(|e| Err(refused(e)), |key| keep(&key, claim)))
        .collect()
}

fn keep(key: &Prekey, claim: &Claim<'_>) -> Result<StoredKey, Refusal> {
    // The time is signed. Only a hold key's is kept, so that of another kind must be none.
    if key.kind != PrekeyKind::Hold && claim.key.created_at_ms != 0 {
        return Err(malformed());
    }
    Ok(StoredKey {
        key: key.key,
        signature: claim
            .key
            .signature
            .as_slice()
            .try_into()
            .map_err(|_| malformed())?,
        created_at: key.created_at,
    })
}

fn refused(error: PrekeyError) -> Refusal {
    match error {
        PrekeyError::Malformed | PrekeyError::WeakKey => malformed(),
        PrekeyError::BadSignature => Refusal::new(RelayCode::BadSignature),
    }
}

fn claimed(claimed: ClaimedPrekey) -> v1::ClaimedKey {
    v1::ClaimedKey {
        device_id: claimed.device.to_vec(),
        key: Some(signed(claimed.key)),
        fallback: claimed.fallback,
    }
}

fn signed(key: StoredKey) -> v1::SignedKey {
    v1::SignedKey {
        key: key.key.to_vec(),
        signature: key.signature.to_vec(),
        created_at_ms: key.created_at.as_millis(),
    }
}
