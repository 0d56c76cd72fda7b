//! Devices that are nothing but keys: enrolled and listed, with keys at the relay and no store.

use std::sync::Arc;

use vodozemac::olm::Account;
use wardline_org::{
    CallSigner, Caller, Credential, SignedCredential, Signer, Timestamp, Transport, UserId,
    prekey::{PrekeyKind, sign_prekey},
    transport,
};
use wardline_proto::v1;
use wardline_tests::Ward;

/// Enrolls so many devices of every person; they are listed with the next publication, and after that
/// [`Stranger::offer_keys`] gives them keys.
pub async fn enroll(ward: &Ward, people: &[String], each: usize) -> Vec<Stranger> {
    let transport = ward.relay().local();
    let mut strangers = Vec::new();
    for person in people {
        for _ in 0..each {
            let stranger = Stranger::new(person);
            let call = v1::EnrollRequest {
                ticket: ward.ticket(person),
                credential: stranger.credential.bytes().to_vec(),
                signature: stranger.credential.signature().to_vec(),
            };
            stranger.call(&transport, &call).await;
            strangers.push(stranger);
        }
    }
    strangers
}

/// A device of one person, with its keys in memory.
pub struct Stranger {
    account: Arc<Keys>,
    credential: SignedCredential,
}

struct Keys(std::sync::Mutex<Account>);

impl Stranger {
    fn new(person: &str) -> Self {
        let account = Arc::new(Keys(Account::new().into()));
        let keys = account.0.lock().unwrap().identity_keys();
        let credential = Credential {
            org: "mercy".parse().unwrap(),
            user: UserId::new(person).unwrap(),
            ed25519: *keys.ed25519.as_bytes(),
            curve25519: keys.curve25519.to_bytes(),
            capabilities: vec!["wardline.text/1".into()],
            label: "phone".into(),
            created_at: NOW,
        };
        Self {
            credential: SignedCredential::create(&*account, credential).unwrap(),
            account,
        }
    }

    /// Leaves one-time keys and a fallback key at the relay.
    pub async fn offer_keys(&self, transport: &dyn Transport) {
        let device = self.credential.device_id();
        let sign = |kind, key: vodozemac::Curve25519PublicKey| {
            sign_prekey(&*self.account, device, kind, key.as_bytes(), None)
        };
        let (one_time, fallback) = {
            let mut account = self.account.0.lock().unwrap();
            account.generate_one_time_keys(ONE_TIME_KEYS);
            account.generate_fallback_key();
            (account.one_time_keys(), account.fallback_key())
        };
        let call = v1::UploadKeysRequest {
            one_time_keys: one_time
                .into_values()
                .map(|key| sign(PrekeyKind::OneTime, key))
                .collect(),
            fallback_key: fallback
                .into_values()
                .next()
                .map(|key| sign(PrekeyKind::Fallback, key)),
            ..Default::default()
        };
        self.call(transport, &call).await;
    }

    /// Signs calls of this device.
    pub fn signer(&self) -> CallSigner {
        CallSigner::new(
            Caller::Device(self.credential.device_id()),
            "mercy".parse().unwrap(),
            "relay.mercy.example".parse().unwrap(),
            Arc::clone(&self.account) as _,
        )
    }

    /// The device's id.
    pub fn device(&self) -> Vec<u8> {
        self.credential.device_id().to_vec()
    }

    async fn call<C: transport::RelayCall>(&self, transport: &dyn Transport, call: &C) {
        transport::call(transport, &self.signer(), call, NOW)
            .await
            .unwrap();
    }
}

impl Signer for Keys {
    fn public_key(&self) -> [u8; 32] {
        *self.0.lock().unwrap().ed25519_key().as_bytes()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.lock().unwrap().sign(message).to_bytes()
    }
}

/// When everything happens in a bench.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
/// A bench meets the same devices again and again.
const ONE_TIME_KEYS: usize = 40;
