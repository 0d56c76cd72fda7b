//! This device's own keys: made once at enrollment, kept in the store.
//!
//! The identity keys never change; they are what the directory proves. They are held twice: inside
//! the Olm account on the writer's thread (where one-time keys come and go), and in a
//! [`DeviceIdentity`], which may sign requests and start sessions on any thread because it has no
//! one-time keys that could run ahead of the disk.

use std::sync::Arc;

use rayon::prelude::*;
use vodozemac::{
    Curve25519PublicKey,
    olm::{Account, AccountPickle, Session, SessionConfig},
};
use wardline_org::{
    Credential, DeviceId, OrgId, SignedCredential, Signer, Timestamp, UserId,
    credential::CredentialError, prekey::Prekey,
};
use zeroize::Zeroizing;

/// The identity of one device, usable from every thread.
#[derive(Clone)]
pub(crate) struct DeviceIdentity {
    account: Arc<Account>,
    pub(crate) device_id: DeviceId,
    pub(crate) user_id: UserId,
    pub(crate) organization: OrgId,
}

impl DeviceIdentity {
    /// Makes the keys of a new device.
    pub(crate) fn generate(organization: OrgId, user_id: UserId) -> Self {
        Self::from_account(Account::new(), organization, user_id)
    }

    /// The identity out of its stored form.
    pub(crate) fn load(bytes: &[u8], organization: OrgId, user_id: UserId) -> Option<Self> {
        Some(Self::from_account(
            load_account(bytes)?,
            organization,
            user_id,
        ))
    }

    fn from_account(account: Account, organization: OrgId, user_id: UserId) -> Self {
        let keys = account.identity_keys();
        let device_id = DeviceId::from_keys(keys.ed25519.as_bytes(), keys.curve25519.as_bytes());
        Self {
            account: Arc::new(account),
            device_id,
            user_id,
            organization,
        }
    }

    /// The stored form: secret.
    pub(crate) fn save(&self) -> Option<Zeroizing<Vec<u8>>> {
        save_account(&self.account)
    }

    /// What the device asks the authority to put into the directory.
    pub(crate) fn credential(
        &self,
        label: String,
        now: Timestamp,
    ) -> Result<SignedCredential, CredentialError> {
        let keys = self.account.identity_keys();
        SignedCredential::create(
            self,
            Credential {
                org: self.organization.clone(),
                user: self.user_id.clone(),
                ed25519: *keys.ed25519.as_bytes(),
                curve25519: keys.curve25519.to_bytes(),
                capabilities: CAPABILITIES.iter().map(ToString::to_string).collect(),
                label,
                created_at: now,
            },
        )
    }

    /// Starts a session with every device whose key was claimed, on all cores.
    ///
    /// The caller has verified the keys' signatures and that the identity keys are the directory's.
    pub(crate) fn start_sessions(&self, peers: Vec<NewPeer>) -> Vec<(DeviceId, Session)> {
        peers
            .into_par_iter()
            .filter_map(|peer| {
                let session = self.account.create_outbound_session(
                    SessionConfig::version_2(),
                    Curve25519PublicKey::from_bytes(peer.curve25519),
                    Curve25519PublicKey::from_bytes(peer.prekey.key),
                );
                // A key without contribution yields no session; the device stays without one.
                session.ok().map(|session| (peer.device_id, session))
            })
            .collect()
    }
}

impl Signer for DeviceIdentity {
    fn public_key(&self) -> [u8; 32] {
        *self.account.ed25519_key().as_bytes()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.account.sign(message).to_bytes()
    }
}

impl std::fmt::Debug for DeviceIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceIdentity")
            .field("device_id", &self.device_id)
            .finish_non_exhaustive()
    }
}

/// A device to start a session with.
pub(crate) struct NewPeer {
    pub(crate) device_id: DeviceId,
    pub(crate) curve25519: [u8; 32],
    pub(crate) prekey: Prekey,
}

/// Positional MessagePack: postcard does not bring these types back.
pub(super) fn save_account(account: &Account) -> Option<Zeroizing<Vec<u8>>> {
    rmp_serde::to_vec(&account.pickle())
        .ok()
        .map(Zeroizing::new)
}

pub(super) fn load_account(bytes: &[u8]) -> Option<Account> {
    rmp_serde::from_slice::<AccountPickle>(bytes)
        .ok()
        .map(Account::from_pickle)
}

/// What this version understands, for senders to know.
const CAPABILITIES: &[&str] = &[
    "olm-v2",
    "wardline.text/1",
    "wardline.answer/1",
    "wardline.recall/1",
    "wardline.amend/1",
    "wardline.sbar/1",
    "wardline.critical-result/1",
    "wardline.order/1",
    "wardline.role/1",
    "wardline.pass/1",
    "wardline.forward/1",
];
