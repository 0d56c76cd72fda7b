//! Hold keys: what is given to a device later is sealed to one, because sessions will have moved on by then.
//!
//! HPKE (RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305), one encapsulation for
//! each device. It says nothing about who sealed: that is proven by the author's signature inside the content. The
//! associated data binds what is sealed to its envelope, its sender and its recipient, the plaintext to deposit
//! and tier, so that nothing opens in another place.
//!
//! Not its concern: when keys are made and forgotten (`engine::hold_keys`), and for whom one seals.

use hpke::{
    Deserializable, Kem as _, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305,
    kdf::HkdfSha256, kem::X25519HkdfSha256, setup_receiver, setup_sender,
};
use wardline_org::{DeviceId, EnvelopeId, Hash};
use wardline_proto::{Message, v1};
use zeroize::{Zeroize, Zeroizing};

use super::{
    OpenFailure,
    content::ContentKey,
    open::OpenedContent,
    seal::{Binding, recipients_hash},
};
use crate::id::{ConversationId, MessageId};

/// A hold key of this device. Its private half is gone from memory when dropped, and shown nowhere.
pub(crate) struct HoldKey {
    private: Zeroizing<[u8; 32]>,
    pub(crate) public: [u8; 32],
}

impl HoldKey {
    /// Makes a new one.
    pub(crate) fn generate() -> Result<Self, getrandom::Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice())?;
        let (private, public) = X25519HkdfSha256::derive_keypair(seed.as_slice());
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.copy_from_slice(&private.to_bytes());
        Ok(Self {
            private: bytes,
            public: public.to_bytes().into(),
        })
    }

    /// Out of the store.
    pub(crate) fn from_parts(private: &[u8], public: &[u8]) -> Option<Self> {
        Some(Self {
            private: Zeroizing::new(private.try_into().ok()?),
            public: public.try_into().ok()?,
        })
    }

    /// What the store keeps: secret.
    pub(crate) fn private(&self) -> &[u8; 32] {
        &self.private
    }

    fn open(&self, sealed: &[u8], associated: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (encapsulated, ciphertext) = sealed.split_first_chunk::<32>()?;
        let private =
            <X25519HkdfSha256 as hpke::Kem>::PrivateKey::from_bytes(self.private.as_slice());
        let encapsulated = Deserializable::from_bytes(encapsulated).ok()?;
        let mut context = setup_receiver::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &private.ok()?,
            &encapsulated,
            INFO,
        )
        .ok()?;
        context
            .open(ciphertext, associated)
            .ok()
            .map(Zeroizing::new)
    }
}

impl std::fmt::Debug for HoldKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HoldKey").finish_non_exhaustive()
    }
}

/// Where something is held, and the only place where it opens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeldPlace {
    pub(crate) sender: DeviceId,
    pub(crate) recipient: DeviceId,
    pub(crate) envelope: EnvelopeId,
}

impl HeldPlace {
    fn associated(&self) -> Vec<u8> {
        [
            self.sender.as_bytes().as_slice(),
            self.recipient.as_bytes(),
            self.envelope.as_bytes(),
        ]
        .concat()
    }
}

/// The key of a held content, with what it is bound to.
pub(crate) struct HeldContentKey {
    pub(crate) key: ContentKey,
    pub(crate) content_hash: Hash,
    pub(crate) deposit: [u8; 16],
    pub(crate) tier: u32,
}

impl HeldContentKey {
    /// Seals it to the hold key of one device; `None` for a key that no private half belongs to.
    pub(crate) fn seal(&self, public: &[u8; 32], place: HeldPlace) -> Option<v1::SealedKey> {
        let mut inside = v1::HeldKey {
            version: VERSION,
            key: self.key.as_bytes().to_vec(),
            content_hash: self.content_hash.as_bytes().to_vec(),
            deposit_id: self.deposit.to_vec(),
            tier: self.tier,
        };
        let plaintext = Zeroizing::new(inside.encode_to_vec());
        inside.key.zeroize();
        let public = Deserializable::from_bytes(public).ok()?;
        let (encapsulated, mut context) = setup_sender::<
            ChaCha20Poly1305,
            HkdfSha256,
            X25519HkdfSha256,
        >(&OpModeS::Base, &public, INFO)
        .ok()?;
        let mut ciphertext = encapsulated.to_bytes().to_vec();
        ciphertext.extend(context.seal(&plaintext, &place.associated()).ok()?);
        Some(v1::SealedKey {
            device_id: place.recipient.to_vec(),
            suite: v1::Suite::HpkeHold.into(),
            olm_type: 0,
            ciphertext: ciphertext.into(),
            kem: Default::default(),
        })
    }

    /// Opens it with whichever of these keys it was sealed to.
    pub(crate) fn open(
        keys: &[HoldKey],
        sealed: &v1::SealedKey,
        place: HeldPlace,
    ) -> Result<Self, OpenFailure> {
        if sealed.suite != i32::from(v1::Suite::HpkeHold) || !sealed.kem.is_empty() {
            return Err(OpenFailure::UnknownSuite);
        }
        let associated = place.associated();
        let plaintext = keys
            .iter()
            .find_map(|key| key.open(&sealed.ciphertext, &associated))
            .ok_or(OpenFailure::Undecryptable)?;
        let mut inside =
            v1::HeldKey::decode(plaintext.as_slice()).map_err(|_| OpenFailure::Malformed)?;
        let key = ContentKey::from_slice(&inside.key);
        inside.key.zeroize();
        if inside.version != VERSION {
            return Err(OpenFailure::UnknownSuite);
        }
        let deposit = inside.deposit_id.as_slice().try_into();
        Ok(Self {
            key: key.ok_or(OpenFailure::Malformed)?,
            content_hash: Hash::from_slice(&inside.content_hash)
                .map_err(|_| OpenFailure::Malformed)?,
            deposit: deposit.map_err(|_| OpenFailure::Malformed)?,
            tier: inside.tier,
        })
    }

    /// Decrypts the content that travelled beside the key, and holds it against its deposit and its tier: what was
    /// not held for this device and this tier is not for us, whoever hands it on.
    pub(crate) fn content(
        &self,
        ciphertext: &[u8],
        sender: DeviceId,
        us: DeviceId,
    ) -> Result<OpenedContent, OpenFailure> {
        let malformed = OpenFailure::Malformed;
        let signed = self.key.open(ciphertext, self.content_hash)?;
        let content = v1::Content::decode(signed.content.as_slice()).map_err(|_| malformed)?;
        let recipients = content
            .recipient_devices
            .iter()
            .map(|device| DeviceId::from_slice(device).map_err(|_| malformed))
            .collect::<Result<Vec<_>, _>>()?;
        let plan = content.escalation.as_ref();
        let plan = plan.ok_or(OpenFailure::BindingBroken)?;
        let agrees = content.sender_device == sender.as_bytes()
            && plan.deposit_id == self.deposit
            && recipients.is_sorted_by(|one, other| one < other);
        if !agrees {
            return Err(OpenFailure::BindingBroken);
        }
        let place = usize::try_from(self.tier).unwrap_or(usize::MAX);
        let tier = plan.tiers.get(place).ok_or(OpenFailure::BindingBroken)?;
        if !tier.devices.iter().any(|device| device == us.as_bytes()) {
            return Err(OpenFailure::NotForUs);
        }
        // What receipts and answers speak of is the message itself, unless there is none but this.
        let content_hash = match plan.scheduled {
            true => self.content_hash,
            false => Hash::from_slice(&plan.message_hash).map_err(|_| malformed)?,
        };
        let binding = Binding {
            conversation_id: ConversationId::from_slice(&content.conversation_id)
                .map_err(|_| malformed)?,
            message_id: MessageId::from_slice(&content.message_id).map_err(|_| malformed)?,
            head_version: content.head_version,
            head_hash: Hash::from_slice(&content.head_hash).map_err(|_| malformed)?,
            recipients_hash: recipients_hash(&recipients),
        };
        Ok(OpenedContent {
            signed,
            content,
            binding,
            content_hash,
            sender,
        })
    }
}

const VERSION: u32 = 1;
const INFO: &[u8] = b"wardline/v1/hold";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use wardline_org::Timestamp;

    use super::*;

    fn held() -> HeldContentKey {
        HeldContentKey {
            key: ContentKey::from_slice(&[7; 32]).unwrap(),
            content_hash: Hash::of(b"ciphertext"),
            deposit: [3; 16],
            tier: 2,
        }
    }

    fn place() -> HeldPlace {
        HeldPlace {
            sender: DeviceId::from_bytes([1; 16]),
            recipient: DeviceId::from_bytes([2; 16]),
            envelope: EnvelopeId::generate(Timestamp::from_millis(1)).unwrap(),
        }
    }

    #[test]
    fn an_older_key_opens_what_was_sealed_to_it() {
        let keys = [HoldKey::generate().unwrap(), HoldKey::generate().unwrap()];
        let place = place();
        let sealed = held().seal(&keys[1].public, place).unwrap();
        let opened = HeldContentKey::open(&keys, &sealed, place).unwrap();
        assert_eq!(opened.key.as_bytes(), &[7; 32]);
        assert_eq!((opened.deposit, opened.tier), ([3; 16], 2));
        let stored = HoldKey::from_parts(keys[1].private(), &keys[1].public).unwrap();
        assert!(HeldContentKey::open(&[stored], &sealed, place).is_ok());
        let forgotten = HeldContentKey::open(&keys[..1], &sealed, place);
        assert_eq!(forgotten.err(), Some(OpenFailure::Undecryptable));
    }

    #[test]
    fn it_opens_in_no_other_place() {
        let keys = [HoldKey::generate().unwrap()];
        let place = place();
        let sealed = held().seal(&keys[0].public, place).unwrap();
        let other = DeviceId::from_bytes([9; 16]);
        let later = EnvelopeId::generate(Timestamp::from_millis(2)).unwrap();
        for elsewhere in [
            HeldPlace {
                sender: other,
                ..place
            },
            HeldPlace {
                recipient: other,
                ..place
            },
            HeldPlace {
                envelope: later,
                ..place
            },
        ] {
            let opened = HeldContentKey::open(&keys, &sealed, elsewhere);
            assert_eq!(opened.err(), Some(OpenFailure::Undecryptable));
        }
    }

    #[test]
    fn all_are_as_long_and_a_key_that_nobody_holds_is_refused() {
        let key = HoldKey::generate().unwrap();
        let lengths = [0, u32::MAX].map(|tier| {
            let held = HeldContentKey { tier, ..held() };
            held.seal(&key.public, place()).unwrap().ciphertext.len()
        });
        // Only the first tier leaves its number out; which one it is the relay knows.
        assert!(lengths[1] - lengths[0] <= 5);
        assert!(held().seal(&[0; 32], place()).is_none());
        assert_eq!(format!("{key:?}"), "HoldKey { .. }");
    }
}
