//! People and devices that the tests talk about.

use wardline_org::{Credential, DeviceId, SignedCredential, Signer, SoftwareSigner, Timestamp};

/// The moment at which the tests begin.
pub(crate) fn start() -> Timestamp {
    "2026-11-22T12:00:00.000Z".parse().unwrap()
}

/// A device of the organization `mercy`, whose keys follow from `seed`.
pub(crate) struct Device {
    pub(crate) signer: SoftwareSigner,
    pub(crate) credential: SignedCredential,
}

impl Device {
    pub(crate) fn new(user: &str, seed: u8) -> Self {
        let signer = SoftwareSigner::from_seed(&[seed; 32]);
        let credential = SignedCredential::create(&signer, plain(user, &signer, seed)).unwrap();
        Self { signer, credential }
    }

    pub(crate) fn id(&self) -> DeviceId {
        self.credential.device_id()
    }
}

/// A credential that nobody has signed yet.
pub(crate) fn plain(user: &str, signer: &SoftwareSigner, seed: u8) -> Credential {
    Credential {
        org: "mercy".parse().unwrap(),
        user: user.parse().unwrap(),
        ed25519: signer.public_key(),
        curve25519: x25519_dalek::x25519([seed; 32], x25519_dalek::X25519_BASEPOINT_BYTES),
        capabilities: vec!["wardline.text/1".into()],
        label: "ward phone".into(),
        created_at: start(),
    }
}
