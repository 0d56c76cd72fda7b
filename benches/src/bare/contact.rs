//! The bare work of a first contact: verify the claimed keys, agree on sessions, commit them.

use std::path::Path;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use rayon::prelude::*;
use rusqlite::params;
use vodozemac::{
    Curve25519PublicKey,
    olm::{Account, SessionConfig},
};

use super::store::{Store, random};

/// A device that meets many others.
pub struct Contact {
    store: Store,
    account: Account,
    keys: Vec<Claimed>,
}

/// A one-time key as it was claimed, with what the directory says of its device.
struct Claimed {
    device: [u8; 16],
    signing: VerifyingKey,
    identity: Curve25519PublicKey,
    one_time: Curve25519PublicKey,
    signature: Signature,
}

impl Contact {
    /// A device in `folder`, and the claimed keys of `devices` others.
    pub fn with_claimed_keys(folder: &Path, devices: usize) -> Self {
        let keys = (0..devices).map(|_| {
            let signing = SigningKey::from_bytes(&random());
            let mut account = Account::new();
            account.generate_one_time_keys(1);
            let one_time = *account.one_time_keys().values().next().unwrap();
            Claimed {
                device: random(),
                signing: signing.verifying_key(),
                identity: account.curve25519_key(),
                one_time,
                signature: signing.sign(one_time.as_bytes()),
            }
        });
        Self {
            store: Store::create(folder),
            account: Account::new(),
            keys: keys.collect(),
        }
    }

    /// Verifies every key, starts every session and commits them together.
    pub fn meet(&self) {
        let messages: Vec<&[u8]> = self
            .keys
            .iter()
            .map(|key| key.one_time.as_bytes().as_slice())
            .collect();
        let signatures: Vec<Signature> = self.keys.iter().map(|key| key.signature).collect();
        let signers: Vec<VerifyingKey> = self.keys.iter().map(|key| key.signing).collect();
        ed25519_dalek::verify_batch(&messages, &signatures, &signers).unwrap();
        let account = &self.account;
        let sessions: Vec<_> = self
            .keys
            .par_iter()
            .map(|key| {
                account
                    .create_outbound_session(SessionConfig::version_2(), key.identity, key.one_time)
                    .unwrap()
            })
            .collect();
        let connection = &self.store.connection;
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut insert = connection
            .prepare_cached(
                "INSERT INTO session (device_id, session_id, state, used) VALUES (?1, ?2, ?3, 1)",
            )
            .unwrap();
        for (key, session) in self.keys.iter().zip(&sessions) {
            let state = rmp_serde::to_vec(&session.pickle()).unwrap();
            insert
                .execute(params![key.device, session.session_id().as_bytes(), state])
                .unwrap();
        }
        drop(insert);
        connection
            .execute_batch("UPDATE device SET ratchet_counter = ratchet_counter + 1; COMMIT")
            .unwrap();
    }

    /// Forgets every session.
    pub fn part(&self) {
        self.store
            .connection
            .execute_batch("DELETE FROM session")
            .unwrap();
    }
}
