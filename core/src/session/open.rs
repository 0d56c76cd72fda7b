//! Opening: from an envelope off the relay to something its sender is proven to have said to us.
//!
//! Nothing in the clear is believed. The directory names the sender's identity key, Olm proves that
//! the sender holds it, and everything else (recipient, conversation, message id, recipient list,
//! content) must agree with what was sealed. Opening moves ratchets, so it runs in the writer; the
//! content cipher and the signatures do not, so they run on every core ([`OpenedKey::content`]).

use rusqlite::Connection;
use wardline_org::{DeviceId, Hash, Timestamp};
use wardline_proto::{Message, v1};

use super::{
    OpenFailure,
    content::ContentKey,
    padding::unpad,
    ratchets::{Ratchets, Sender},
    seal::{Binding, VERSION, recipients_hash},
};
use crate::{
    id::{ConversationId, MessageId},
    store::StoreError,
};

/// What was inside Olm.
pub(crate) enum Opened {
    /// A content travels beside it.
    Key(OpenedKey),
    /// Said by the sender's device to ours, no person involved.
    Control(v1::Control),
}

/// A content key with what it is bound to.
pub(crate) struct OpenedKey {
    pub(crate) sender: DeviceId,
    pub(crate) binding: Binding,
    pub(crate) content_hash: Hash,
    key: ContentKey,
}

/// A content that agrees with its binding; its author's signature is still to be verified.
pub(crate) struct OpenedContent {
    pub(crate) signed: v1::SignedContent,
    pub(crate) content: v1::Content,
    pub(crate) binding: Binding,
    pub(crate) content_hash: Hash,
    pub(crate) sender: DeviceId,
}

/// Opens the sealed part of an envelope.
pub(crate) fn open(
    ratchets: &mut Ratchets,
    connection: &Connection,
    us: DeviceId,
    sender: Sender,
    sealed: &v1::SealedKey,
    now: Timestamp,
) -> Result<Result<Opened, OpenFailure>, StoreError> {
    if sealed.suite != i32::from(v1::Suite::OlmV2) || !sealed.kem.is_empty() {
        return Ok(Err(OpenFailure::UnknownSuite));
    }
    let parts = (sealed.olm_type, sealed.ciphertext.to_vec());
    let plaintext = match ratchets.decrypt(connection, sender, &parts, now)? {
        Ok(plaintext) => plaintext,
        Err(failure) => return Ok(Err(failure)),
    };
    Ok(read(&plaintext, us, sender.device_id))
}

/// Reads the plaintext of an Olm message from a proven sender.
pub(crate) fn read(
    plaintext: &[u8],
    us: DeviceId,
    sender: DeviceId,
) -> Result<Opened, OpenFailure> {
    let encoded = unpad(plaintext).ok_or(OpenFailure::Malformed)?;
    let sealed = v1::Sealed::decode(encoded).map_err(|_| OpenFailure::Malformed)?;
    if sealed.version != VERSION {
        return Err(OpenFailure::UnknownSuite);
    }
    if sealed.recipient_device != us.as_bytes() {
        return Err(OpenFailure::NotForUs);
    }
    if sealed.sender_device != sender.as_bytes() {
        return Err(OpenFailure::BindingBroken);
    }
    match sealed.payload {
        Some(v1::sealed::Payload::ContentKey(key)) => {
            OpenedKey::parse(&key, sender).map(Opened::Key)
        }
        Some(v1::sealed::Payload::Control(control)) => Ok(Opened::Control(control)),
        None => Err(OpenFailure::Malformed),
    }
}

impl OpenedKey {
    fn parse(key: &v1::ContentKey, sender: DeviceId) -> Result<Self, OpenFailure> {
        let hash = |bytes: &[u8]| Hash::from_slice(bytes).map_err(|_| OpenFailure::Malformed);
        Ok(Self {
            sender,
            binding: Binding {
                conversation_id: ConversationId::from_slice(&key.conversation_id)
                    .map_err(|_| OpenFailure::Malformed)?,
                message_id: MessageId::from_slice(&key.message_id)
                    .map_err(|_| OpenFailure::Malformed)?,
                head_version: key.head_version,
                head_hash: hash(&key.head_hash)?,
                recipients_hash: hash(&key.recipients_hash)?,
            },
            content_hash: hash(&key.content_hash)?,
            key: ContentKey::from_slice(&key.key).ok_or(OpenFailure::Malformed)?,
        })
    }

    /// Decrypts the content that travelled beside the key and holds it against its binding.
    pub(crate) fn content(
        &self,
        ciphertext: &[u8],
        us: DeviceId,
    ) -> Result<OpenedContent, OpenFailure> {
        let signed = self.key.open(ciphertext, self.content_hash)?;
        let content =
            v1::Content::decode(signed.content.as_slice()).map_err(|_| OpenFailure::Malformed)?;
        let recipients = content
            .recipient_devices
            .iter()
            .map(|device| DeviceId::from_slice(device).map_err(|_| OpenFailure::Malformed))
            .collect::<Result<Vec<_>, _>>()?;
        let agrees = content.message_id == self.binding.message_id.as_bytes()
            && content.conversation_id == self.binding.conversation_id.as_bytes()
            && content.sender_device == self.sender.as_bytes()
            && content.head_version == self.binding.head_version
            && content.head_hash == self.binding.head_hash.as_bytes()
            && recipients.is_sorted_by(|one, other| one < other)
            && recipients_hash(&recipients) == self.binding.recipients_hash;
        if !agrees {
            return Err(OpenFailure::BindingBroken);
        }
        if !recipients.contains(&us) && !names_later(&content, us) {
            return Err(OpenFailure::NotForUs);
        }
        Ok(OpenedContent {
            signed,
            content,
            binding: self.binding,
            content_hash: self.content_hash,
            sender: self.sender,
        })
    }
}

/// Whether a content may be given to a device later: its author seals it again for whoever could not open that.
fn names_later(content: &v1::Content, us: DeviceId) -> bool {
    let tiers = content.escalation.iter().flat_map(|plan| &plan.tiers);
    let mut devices = tiers.flat_map(|tier| &tier.devices);
    devices.any(|device| device == us.as_bytes())
}
