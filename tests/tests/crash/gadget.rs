//! A device made of nothing but a key: for calls that no client makes, or not alone.

use std::sync::Arc;

use wardline_org::{
    CallError, CallSigner, Caller, Clock, Credential, DeviceId, EnvelopeId, SignedCredential,
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
        let id = EnvelopeId::generate(SystemClock.now()).unwrap().to_vec();
        let key = v1::SealedKey {
            device_id: self.device.to_vec(),
            suite: v1::Suite::OlmV2.into(),
            olm_type: 1,
            ciphertext: Bytes::from_static(b"nothing that opens"),
            ..Default::default()
        };
        let submission = v1::Submission {
            envelope_id: id.clone(),
            content: Bytes::from_static(b"nothing"),
            keys: vec![key],
            wake: 0,
            deposit: None,
        };
        let send = v1::SendRequest {
            submissions: vec![submission],
            checkpoint: 0,
        };
        self.ask(&send).await?;
        Ok(id)
    }

    pub(crate) async fn withdraw(&self, envelope_id: Vec<u8>) -> Result<usize, CallError> {
        let withdraw = v1::WithdrawRequest { envelope_id };
        Ok(self.ask(&withdraw).await?.withdrawn_devices.len())
    }
}
