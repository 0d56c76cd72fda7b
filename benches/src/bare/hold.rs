//! The bare work of holding something for others: the content once more, its key by HPKE for every device.

use chacha20poly1305::{ChaCha20Poly1305, KeyInit, aead::AeadInOut};
use ed25519_dalek::{Signer as _, SigningKey};
use hpke::{
    Kem as _, OpModeS, Serializable, aead::ChaCha20Poly1305 as Cipher, kdf::HkdfSha256,
    kem::X25519HkdfSha256, setup_sender,
};
use rayon::prelude::*;

use super::store::random;

/// Devices that something is held for.
pub struct Held {
    keys: Vec<<X25519HkdfSha256 as hpke::Kem>::PublicKey>,
    signing: SigningKey,
}

impl Held {
    /// So many, each with a key.
    pub fn by(devices: usize) -> Self {
        let keys = (0..devices).map(|_| X25519HkdfSha256::derive_keypair(&random::<32>()).1);
        Self {
            keys: keys.collect(),
            signing: SigningKey::from_bytes(&random()),
        }
    }

    /// What is posted of a content of this length: signed, encrypted once, one encapsulation for each device, on
    /// every core.
    pub fn seal(&self, length: usize) -> Vec<u8> {
        let mut content = vec![7; length + 18 * self.keys.len()];
        let signature = self.signing.sign(&content);
        content.extend_from_slice(&signature.to_bytes());
        content.resize(content.len().next_multiple_of(64), 0);
        let key = random::<32>();
        let cipher = ChaCha20Poly1305::new(&key.into());
        cipher
            .encrypt_in_place(&[0; 12].into(), b"content", &mut content)
            .unwrap();
        let wrapped: Vec<Vec<u8>> = self
            .keys
            .par_iter()
            .map(|public| {
                let (encapsulated, mut context) = setup_sender::<
                    Cipher,
                    HkdfSha256,
                    X25519HkdfSha256,
                >(&OpModeS::Base, public, b"bare")
                .unwrap();
                let mut sealed = encapsulated.to_bytes().to_vec();
                sealed.extend(context.seal(&[7; 98], &[7; 48]).unwrap());
                sealed
            })
            .collect();
        content.extend(wrapped.concat());
        content
    }
}
