//! Remote wipe: the organization's order to one device, and the device's word that it obeys.
//!
//! An order is a signed note of a wipe key, so that a relay can neither make one nor turn one against
//! another device. A receipt is signed by the device *before* it erases its keys; it is handed on after.
//! Erasing is the concern of the device, keeping orders and receipts that of the relay.

use std::{fmt, str::FromStr};

use wardline_proto::{Message, v1};

use crate::{
    hash::Hash,
    id::{DeviceId, OrgId},
    lines::Lines,
    note::{Note, NoteError},
    root::{Purpose, Root, RootError, note_key},
    signer::{self, BadSignature, Signer},
    time::Timestamp,
};

/// Longest reason, in bytes.
pub const MAX_REASON: usize = 32;

/// Why a device is wiped: one word of `a-z`, `0-9` and `-`, at most [`MAX_REASON`] bytes. The relay reads
/// it and the device keeps it after everything else is gone, so there is no room for a name in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WipeReason(String);

impl WipeReason {
    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WipeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for WipeReason {
    type Err = WipeError;

    fn from_str(word: &str) -> Result<Self, WipeError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=MAX_REASON).contains(&word.len()) && word.bytes().all(plain) {
            Ok(Self(word.to_owned()))
        } else {
            Err(WipeError::Malformed)
        }
    }
}

/// What an order says. Two orders that say the same are one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WipeOrder {
    /// The organization.
    pub org: OrgId,
    /// The device that is to erase itself, and no other.
    pub device: DeviceId,
    /// When it was given, by the authority's clock.
    pub issued_at: Timestamp,
    /// Why, such as `lost`.
    pub reason: WipeReason,
}

impl WipeOrder {
    fn text(&self) -> String {
        format!(
            "{FIRST_LINE}\norg {}\ndevice {}\nissued {}\nreason {}\n",
            self.org, self.device, self.issued_at, self.reason
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = Lines::new(text, FIRST_LINE)?;
        let order = Self {
            org: lines.parse("org")?,
            device: lines.parse("device")?,
            issued_at: lines.parse("issued")?,
            reason: lines.parse("reason")?,
        };
        // One spelling for one statement; lines of a later version may follow.
        (text.strip_suffix(lines.rest()) == Some(&order.text())).then_some(order)
    }
}

/// An order with its signature, as it is stored and sent. What was read is well formed;
/// [`SignedWipeOrder::verify`] says whether the organization signed it.
///
/// ```
/// use wardline_org::{DeviceId, Timestamp, signer::SoftwareSigner, wipe::{SignedWipeOrder, WipeOrder}};
///
/// let order = WipeOrder {
///     org: "mercy".parse()?,
///     device: DeviceId::from_bytes([7; 16]),
///     issued_at: Timestamp::from_millis(1_795_000_000_000),
///     reason: "lost".parse()?,
/// };
/// let signed = SignedWipeOrder::sign(&order, &SoftwareSigner::generate()?)?;
/// let read: SignedWipeOrder = signed.to_string().parse()?;
/// assert_eq!(read.order(), &order);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedWipeOrder {
    order: WipeOrder,
    note: Note,
}

impl SignedWipeOrder {
    /// Signs an order.
    pub fn sign(order: &WipeOrder, signer: &dyn Signer) -> Result<Self, WipeError> {
        let key = note_key(&order.org, Purpose::Wipe.as_str(), &signer.public_key())
            .ok_or(WipeError::Malformed)?;
        Self::new(Note::sign(order.text(), &[(&key, signer)])?)
    }

    fn new(note: Note) -> Result<Self, WipeError> {
        let order = WipeOrder::parse(note.text()).ok_or(WipeError::Malformed)?;
        Ok(Self { order, note })
    }

    /// Whether one of the wipe keys of this root document signed it, for its organization.
    pub fn verify(&self, root: &Root) -> Result<(), WipeError> {
        if self.order.org != root.org {
            return Err(WipeError::OtherOrg);
        }
        self.note.verify(&root.note_keys(Purpose::Wipe), 1)?;
        Ok(())
    }

    /// What it says.
    pub fn order(&self) -> &WipeOrder {
        &self.order
    }

    /// SHA-256 of its text: what the receipt names.
    pub fn hash(&self) -> Hash {
        self.note.hash()
    }
}

/// The signed note.
impl fmt::Display for SignedWipeOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.note, f)
    }
}

impl FromStr for SignedWipeOrder {
    type Err = WipeError;

    fn from_str(note: &str) -> Result<Self, WipeError> {
        Self::new(note.parse()?)
    }
}

/// What a device says about its own end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WipeReceipt {
    /// The organization.
    pub org: OrgId,
    /// The device.
    pub device: DeviceId,
    /// The order that it obeyed.
    pub order: Hash,
    /// When it began, by its own clock.
    pub wiped_at: Timestamp,
    /// Messages that were written on it and that the relay had not taken: they are lost.
    pub unsent_messages: u64,
}

/// A receipt with the device's signature, and the exact bytes that were signed. What was read is well
/// formed; [`SignedWipeReceipt::verify`] says whether the device signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedWipeReceipt {
    receipt: WipeReceipt,
    bytes: Vec<u8>,
    signature: Vec<u8>,
}

impl SignedWipeReceipt {
    /// Signs a receipt with the device's key.
    pub fn sign(receipt: WipeReceipt, signer: &dyn Signer) -> Self {
        let bytes = v1::WipeReceipt {
            version: VERSION,
            organization: receipt.org.to_string(),
            device_id: receipt.device.to_vec(),
            order_hash: receipt.order.as_bytes().to_vec(),
            wiped_at_ms: receipt.wiped_at.as_millis(),
            unsent_messages: receipt.unsent_messages,
        }
        .encode_to_vec();
        let signature = signer::sign_tagged(signer, TAG, &bytes).to_vec();
        Self {
            receipt,
            bytes,
            signature,
        }
    }

    /// Reads the call that hands a receipt on.
    pub fn read(call: &v1::ConfirmWipeRequest) -> Result<Self, WipeError> {
        let message = v1::WipeReceipt::decode(call.receipt.as_slice())
            .ok()
            .filter(|receipt| receipt.version == VERSION)
            .ok_or(WipeError::Malformed)?;
        let receipt = WipeReceipt {
            org: OrgId::new(message.organization).map_err(|_| WipeError::Malformed)?,
            device: DeviceId::from_slice(&message.device_id).map_err(|_| WipeError::Malformed)?,
            order: Hash::from_slice(&message.order_hash).map_err(|_| WipeError::Malformed)?,
            wiped_at: Timestamp::from_millis(message.wiped_at_ms),
            unsent_messages: message.unsent_messages,
        };
        Ok(Self {
            receipt,
            bytes: call.receipt.clone(),
            signature: call.signature.clone(),
        })
    }

    /// The call that hands it on. It carries its own proof, and needs no signature of the call.
    pub fn to_call(&self) -> v1::ConfirmWipeRequest {
        v1::ConfirmWipeRequest {
            receipt: self.bytes.clone(),
            signature: self.signature.clone(),
        }
    }

    /// Whether the device with this signing key, the one that the order names, signed it for this order.
    pub fn verify(&self, order: &SignedWipeOrder, signing_key: &[u8; 32]) -> Result<(), WipeError> {
        let ordered = order.order();
        if self.receipt.org != ordered.org {
            return Err(WipeError::OtherOrg);
        }
        if self.receipt.device != ordered.device {
            return Err(WipeError::OtherDevice);
        }
        if self.receipt.order != order.hash() {
            return Err(WipeError::OtherOrder);
        }
        signer::verify_tagged(signing_key, TAG, &self.bytes, &self.signature)?;
        Ok(())
    }

    /// What it says.
    pub fn receipt(&self) -> &WipeReceipt {
        &self.receipt
    }
}

/// Why an order or a receipt is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WipeError {
    /// The text or the bytes are not those of an order or a receipt.
    #[error("not a wipe order or receipt: make it with `wardline-org`")]
    Malformed,
    /// It is of another organization.
    #[error("it is of another organization: check the relay")]
    OtherOrg,
    /// It names another device.
    #[error("it is for another device: report the relay")]
    OtherDevice,
    /// The receipt answers another order.
    #[error("the receipt answers another order: report the relay")]
    OtherOrder,
    /// The root documents that came along are refused.
    #[error(transparent)]
    Root(#[from] RootError),
    /// No wipe key of the root document signed the order.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The device did not sign the receipt.
    #[error(transparent)]
    Signature(#[from] BadSignature),
}

const FIRST_LINE: &str = "wardline/v1/wipe";
const TAG: &str = "wipe-receipt";
const VERSION: u32 = 1;
