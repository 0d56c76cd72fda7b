//! A device made of nothing but a key: for calls that no client makes, or not alone.

use std::{sync::Arc, time::Duration};

use wardline_org::{
    CallError, CallSigner, Caller, Clock, Credential, DeviceId, EnvelopeId, Hash, SignedCredential,
    Signer, SoftwareSigner, SystemClock, Transport,
    transport::{self, RelayCall},
};
use wardline_proto::{Bytes, v1};

use crate::stage::Hospital;

pub(crate) struct Gadget {
    device: DeviceId,
    calls: CallSigner,
    line: Arc<dyn Transport>,
}

impl Gadget {
    /// A listed device of this person.
    pub(crate) async fn join(hospital: &mut Hospital, person: &str) -> Self {
        let signer = SoftwareSigner::from_seed(&[7; 32]);
        let mut base_point = [0; 32];
        base_point[0] = 9;
        let credential = Credential {
            org: "mercy".parse().unwrap(),
            user: person.parse().unwrap(),
            ed25519: signer.public_key(),
            curve25519: base_point,
            capabilities: Vec::new(),
            label: "gadget".into(),
            created_at: SystemClock.now(),
        };
        let credential = SignedCredential::create(&signer, credential).unwrap();
        let gadget = Self {
            device: credential.device_id(),
            calls: CallSigner::new(
                Caller::Device(credential.device_id()),
                "mercy".parse().unwrap(),
                "relay.mercy.example".parse().unwrap(),
                Arc::new(signer),
            ),
            line: hospital.site.line(),
        };
        let enroll = v1::EnrollRequest {
            ticket: hospital.ticket(person),
            credential: credential.bytes().to_vec(),
            signature: credential.signature().to_vec(),
        };
        gadget.ask(&enroll).await.unwrap();
        hospital.publish().await;
        gadget
    }

    pub(crate) async fn ask<C: RelayCall>(&self, call: &C) -> Result<C::Answer, CallError> {
        transport::call(&*self.line, &self.calls, call, SystemClock.now()).await
    }

    /// Claims a key of a device; answers it unless it is the one that is there for everybody.
    pub(crate) async fn claim(&self, of: DeviceId) -> Result<Option<Vec<u8>>, CallError> {
        let claim = v1::ClaimKeysRequest {
            device_ids: vec![of.to_vec()],
            hold_device_ids: Vec::new(),
        };
        let answer = self.ask(&claim).await?;
        let claimed = answer.keys.into_iter().find(|key| !key.fallback);
        Ok(claimed.and_then(|claimed| claimed.key).map(|key| key.key))
    }

    /// Sends an envelope to itself; answers its id.
    pub(crate) async fn send_to_itself(&self) -> Result<Vec<u8>, CallError> {
        let id = new_name();
        self.send(self.envelope(&id)).await?;
        Ok(id)
    }

    /// Leaves something that is given to nobody but itself, later.
    pub(crate) async fn hold(&self, held: &Held) -> Result<(), CallError> {
        let tier = v1::HeldTier {
            envelope_id: held.tier.clone(),
            wait_ms: held.wait.as_millis().try_into().unwrap(),
            user_ids: vec!["GADGET".into()],
            keys: vec![v1::SealedKey {
                suite: v1::Suite::HpkeHold.into(),
                olm_type: 0,
                ciphertext: vec![1; 50].into(),
                ..self.key()
            }],
            ..Default::default()
        };
        let deposit = v1::Deposit {
            deposit_id: held.message.clone(),
            stop_hash: Hash::of(&SECRET).as_bytes().to_vec(),
            content: b"held".to_vec(),
            tiers: vec![tier],
        };
        self.send(v1::Submission {
            envelope_id: held.message.clone(),
            deposit: Some(deposit),
            ..Default::default()
        })
        .await
    }

    /// Takes it back, saying so to itself.
    pub(crate) async fn stop(&self, held: &Held) -> Result<bool, CallError> {
        let cancel = v1::CancelRequest {
            deposit_id: held.message.clone(),
            sender_device: self.device.to_vec(),
            stop_secret: SECRET.to_vec(),
            acknowledgement: Some(self.envelope(&held.answer)),
            checkpoint: 0,
        };
        Ok(self.ask(&cancel).await?.stopped)
    }

    /// How many envelopes of this name wait for it, notices included.
    pub(crate) async fn count(&self, name: &[u8]) -> usize {
        let page = self.ask(&v1::ReceiveRequest::default()).await.unwrap();
        let named = page.envelopes.iter().filter(|e| e.envelope_id == name);
        named.count()
    }

    fn envelope(&self, name: &[u8]) -> v1::Submission {
        v1::Submission {
            envelope_id: name.to_vec(),
            content: Bytes::from_static(b"nothing"),
            keys: vec![self.key()],
            wake: 0,
            deposit: None,
        }
    }

    fn key(&self) -> v1::SealedKey {
        v1::SealedKey {
            device_id: self.device.to_vec(),
            suite: v1::Suite::OlmV2.into(),
            olm_type: 1,
            ciphertext: Bytes::from_static(b"nothing that opens"),
            ..Default::default()
        }
    }

    async fn send(&self, submission: v1::Submission) -> Result<(), CallError> {
        let send = v1::SendRequest {
            submissions: vec![submission],
            checkpoint: 0,
        };
        self.ask(&send).await.map(drop)
    }

    pub(crate) async fn withdraw(&self, envelope_id: Vec<u8>) -> Result<usize, CallError> {
        let withdraw = v1::WithdrawRequest { envelope_id };
        Ok(self.ask(&withdraw).await?.withdrawn_devices.len())
    }
}

/// Something that the gadget leaves for itself, by its names.
pub(crate) struct Held {
    pub(crate) message: Vec<u8>,
    pub(crate) tier: Vec<u8>,
    pub(crate) answer: Vec<u8>,
    pub(crate) wait: Duration,
}

impl Held {
    /// Due so long after it is taken.
    pub(crate) fn new(wait: Duration) -> Self {
        Self {
            message: new_name(),
            tier: new_name(),
            answer: new_name(),
            wait,
        }
    }
}

fn new_name() -> Vec<u8> {
    EnvelopeId::generate(SystemClock.now()).unwrap().to_vec()
}

const SECRET: [u8; 32] = [8; 32];
