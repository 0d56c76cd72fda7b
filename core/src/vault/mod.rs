//! Keys at rest: which key opens what, and who can have it.
//!
//! A locked phone is the normal phone: it must receive in a pocket while nobody can read it. So there
//! are two keys.
//!
//! * The **inbox key** opens `store.db`: ratchets, directory, message rows without their bodies. The
//!   host's [`KeyStore`] gives it back from the first unlock of the device on, with nobody present.
//! * The **reading key** opens message bodies, titles, patient references, attachment keys and
//!   `search.db`. It is sealed under the person's passphrase (Argon2id) *joined with* a share that only
//!   the platform opens, and, if allowed, wrapped by the platform for a person whom it recognizes.
//!
//! ```text
//! key store ── Inbox ────► inbox key ──HKDF──► store.db key, seal of the vault file
//! key store ── Reading ──► share ─┐
//! passphrase ── Argon2id ─────────┴─HKDF──► ┐
//! key store ── Presence ──────────────────► reading key ──HKDF──► body key, search.db key, key pair
//! ```
//!
//! [`Vault`] is the handle; [`InboxKeys`] and [`ReadingKeys`] are what it gives; [`BodySealer`] seals
//! bodies with either; [`KeyStore`] is what a host implements. Both root keys are random, so erasing
//! what wraps them ([`Vault::erase`]) erases every copy of the stores.
//!
//! Not its concern: databases (it knows no SQL), the network, and what an organization makes of failed
//! passphrases.
//!
//! # What an attacker gets
//!
//! | who has | gets |
//! |---|---|
//! | the data folder | nothing |
//! | the data folder and a device that was unlocked once since it started (the inbox key) | who wrote to whom and when, sizes; no text. Can forge rows and bodies sealed to the public key |
//! | all that, and the passphrase, but not the device | nothing more: the share is missing |
//! | all that, on the device, without the passphrase | guesses at the cost of Argon2id each, and the platform's counter |
//!
//! An old copy of the vault file put back on its own device opens with the passphrase of its time: what
//! ends that is [`Vault::erase`], not [`Vault::change_passphrase`].

/// A `Debug` that names the type and shows nothing.
macro_rules! opaque {
    ($name:ident $(<$anonymous:lifetime>)?) => {
        impl std::fmt::Debug for $name $(<$anonymous>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

mod aead;
mod body;
pub(crate) mod disk;
mod error;
mod file_key_store;
mod format;
mod handle;
mod key_store;
mod keys;
mod secret;
mod stretch;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub(crate) use body::is_locked_form;
pub use body::{BodyError, BodyOpener, BodyPlace, BodySealer};
pub use error::VaultError;
pub use file_key_store::FileKeyStore;
pub use handle::{InboxSlot, Unlocked, Vault};
pub use key_store::{KeyPurpose, KeyStore, KeyStoreError};
pub use keys::{InboxKeys, ReadingKeys, ReadingPublicKey};
pub use secret::{DatabaseKey, Passphrase};
pub use stretch::Argon2Params;
/// What [`KeyStore::open`] answers is wiped when it is dropped.
pub use zeroize::Zeroizing;
