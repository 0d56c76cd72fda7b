//! How a message is sealed for devices and opened by one: Olm, content keys, padding, signatures.
//!
//! **Sealing.** A content is encrypted once ([`content`]); its key, and everything the key is bound
//! to, is sealed to every recipient device by Olm ([`seal`]). **Opening** goes the other way and
//! believes nothing it has not checked ([`open`]). Ratchets live in [`ratchets`], one cache on the
//! writer's thread that never runs ahead of the disk; this device's own keys in [`identity`]. What is given to a
//! device later is sealed to its [`hold`] key.
//!
//! vodozemac stays inside this room: its types are in no public API and in no table layout (rule 8).
//!
//! Not its concern: who the recipients are, what a content means, when anything is sent.

pub(crate) mod content;
pub(crate) mod hold;
pub(crate) mod identity;
pub(crate) mod open;
pub(crate) mod padding;
pub(crate) mod ratchets;
pub(crate) mod seal;

/// Why an envelope did not open. Stored as a number: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[repr(i64)]
pub(crate) enum OpenFailure {
    /// The directory does not prove the sending device.
    #[error("the directory does not prove the sending device")]
    UnknownSender = 1,
    /// Not the bytes an envelope is made of.
    #[error("the envelope is malformed")]
    Malformed = 2,
    /// A suite or a key encapsulation this version does not know.
    #[error("the envelope uses a suite this version does not know")]
    UnknownSuite = 3,
    /// The pre-key message names another identity than the directory does for its sender.
    #[error("the envelope was sealed by another identity than the directory proves")]
    WrongIdentity = 4,
    /// No session opens it: lost, restored or never there. Healed by asking for it anew.
    #[error("no session opens the envelope")]
    Undecryptable = 5,
    /// It was opened before.
    #[error("the envelope was opened before")]
    Replayed = 6,
    /// Sealed for another device and forwarded here.
    #[error("the envelope was sealed for another device")]
    NotForUs = 7,
    /// The content is not the one its sealed key speaks of, or was changed.
    #[error("the content was altered")]
    ContentAltered = 8,
    /// What is said inside the content contradicts what its key is bound to.
    #[error("the content contradicts what its key is bound to")]
    BindingBroken = 9,
    /// The author's signature does not verify.
    #[error("the author's signature does not verify")]
    BadSignature = 10,
    /// Opening it ended the process again and again; it is set aside.
    #[error("opening the envelope ended the process; it was set aside")]
    Poison = 11,
}

impl OpenFailure {
    /// Each of them, for the glossary.
    pub(crate) const ALL: [Self; 11] = [
        Self::UnknownSender,
        Self::Malformed,
        Self::UnknownSuite,
        Self::WrongIdentity,
        Self::Undecryptable,
        Self::Replayed,
        Self::NotForUs,
        Self::ContentAltered,
        Self::BindingBroken,
        Self::BadSignature,
        Self::Poison,
    ];

    /// A stable code for events, logs and the glossary.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::UnknownSender => "WL-OPEN-UNKNOWN-SENDER",
            Self::Malformed => "WL-OPEN-MALFORMED",
            Self::UnknownSuite => "WL-OPEN-UNKNOWN-SUITE",
            Self::WrongIdentity => "WL-OPEN-WRONG-IDENTITY",
            Self::Undecryptable => "WL-OPEN-UNDECRYPTABLE",
            Self::Replayed => "WL-OPEN-REPLAYED",
            Self::NotForUs => "WL-OPEN-NOT-FOR-US",
            Self::ContentAltered => "WL-OPEN-CONTENT-ALTERED",
            Self::BindingBroken => "WL-OPEN-BINDING",
            Self::BadSignature => "WL-OPEN-SIGNATURE",
            Self::Poison => "WL-OPEN-POISON",
        }
    }

    /// Whether the sender can cure it by sealing the same content again.
    pub(crate) fn healable(self) -> bool {
        matches!(
            self,
            Self::Malformed
                | Self::Undecryptable
                | Self::Replayed
                | Self::ContentAltered
                | Self::UnknownSuite
        )
    }
}

#[cfg(test)]
mod tests;
