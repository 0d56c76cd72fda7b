//! Sealing: what one device says to one other device, encrypted by Olm.
//!
//! A content's key and a control message are sealed alike. Each sealed plaintext names its sender
//! and its recipient device, so that a sealed key handed on to somebody else does not open there.

use rusqlite::Connection;
use wardline_org::{DeviceId, Hash};
use wardline_proto::{Message, v1};
use zeroize::{Zeroize, Zeroizing};

use super::{
    content::SealedContent,
    padding::{SEALED_FLOOR, pad},
    ratchets::Ratchets,
};
use crate::{
    id::{ConversationId, MessageId},
    store::StoreError,
};

/// Everything a content key is bound to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Binding {
    pub(crate) conversation_id: ConversationId,
    pub(crate) message_id: MessageId,
    pub(crate) head_version: u64,
    pub(crate) head_hash: Hash,
    pub(crate) recipients_hash: Hash,
}

/// What is sealed, before it names a recipient.
pub(crate) struct Plain {
    sender: DeviceId,
    /// The encoded payload field. Fields of a protobuf may be joined, so each recipient's copy is its
    /// own short head before these bytes, and the secret in them is not copied about.
    payload: Zeroizing<Vec<u8>>,
}

impl Plain {
    /// The key of a content and what it is bound to.
    pub(crate) fn content_key(
        sender: DeviceId,
        content: &SealedContent,
        binding: &Binding,
    ) -> Self {
        let key = v1::ContentKey {
            key: content.key.as_bytes().to_vec(),
            content_hash: content.hash.as_bytes().to_vec(),
            conversation_id: binding.conversation_id.as_bytes().to_vec(),
            message_id: binding.message_id.as_bytes().to_vec(),
            head_version: binding.head_version,
            head_hash: binding.head_hash.as_bytes().to_vec(),
            recipients_hash: binding.recipients_hash.as_bytes().to_vec(),
        };
        Self::new(sender, v1::sealed::Payload::ContentKey(key))
    }

    /// Traffic that no person reads.
    pub(crate) fn control(sender: DeviceId, control: v1::Control) -> Self {
        Self::new(sender, v1::sealed::Payload::Control(control))
    }

    fn new(sender: DeviceId, payload: v1::sealed::Payload) -> Self {
        let mut sealed = v1::Sealed {
            payload: Some(payload),
            ..Default::default()
        };
        let encoded = Zeroizing::new(sealed.encode_to_vec());
        if let Some(v1::sealed::Payload::ContentKey(key)) = &mut sealed.payload {
            key.key.zeroize();
        }
        Self {
            sender,
            payload: encoded,
        }
    }

    /// Seals for one device; `None` when there is no session with it.
    pub(crate) fn seal(
        &self,
        ratchets: &mut Ratchets,
        connection: &Connection,
        recipient: DeviceId,
    ) -> Result<Option<v1::SealedKey>, StoreError> {
        let sealed = v1::Sealed {
            version: VERSION,
            sender_device: self.sender.to_vec(),
            recipient_device: recipient.to_vec(),
            payload: None,
        };
        let mut plaintext = Vec::with_capacity(SEALED_FLOOR.max(2 * self.payload.len()));
        plaintext.extend_from_slice(&sealed.encode_to_vec());
        plaintext.extend_from_slice(&self.payload);
        let plaintext = Zeroizing::new(pad(plaintext, SEALED_FLOOR));
        let Some((olm_type, ciphertext)) = ratchets.encrypt(connection, recipient, &plaintext)?
        else {
            return Ok(None);
        };
        Ok(Some(v1::SealedKey {
            device_id: recipient.to_vec(),
            suite: v1::Suite::OlmV2.into(),
            olm_type,
            ciphertext: ciphertext.into(),
            kem: Default::default(),
        }))
    }
}

/// The hash of a recipient list: sorted device ids, one after the other.
pub(crate) fn recipients_hash(sorted: &[DeviceId]) -> Hash {
    let ids: Vec<&[u8]> = sorted
        .iter()
        .map(|device| device.as_bytes().as_slice())
        .collect();
    Hash::tagged("recipients", &ids)
}

pub(super) const VERSION: u32 = 1;
