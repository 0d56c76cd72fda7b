//! What the Swift, Kotlin and Python packages are made from.
//!
//! The only crate that exports anything over UniFFI: several of them would mean several modules in
//! Kotlin and Swift. It adds nothing to what [`wardline`] does. It changes its shape: identifiers are
//! text, times are milliseconds, errors carry a stable code, waiting can be given up, and what the
//! host implements (its HTTP stack, its key store, its log) is kept at arm's length.
//!
//! People do not use this surface: each language has a facade on top of it that feels native there.
//!
//! | module | what |
//! |---|---|
//! | [`client`], [`timeline`], [`conversation`], [`open_items`] | a device: send, read, lock, follow |
//! | [`inbox`] | a device that shows notifications and cannot read |
//! | [`draft`], [`structured`], [`message`], [`answer`], [`amend`], [`offers`], [`forward`], [`finding`], [`roles`], [`lifetime`], [`reach`], [`escalation`], [`event`] | plain data that goes in and comes out |
//! | [`error`] | one error type with codes, parameters, and what helps |
//! | [`host`] | what the host brings: transport, key store, log |
//! | [`secret`] | passphrases and wrapped keys as objects that wipe themselves |
//! | [`cancel`], [`runtime`] | waiting, giving up, and the threads it happens on |
//! | `authority`, `proof` (feature `authority`) | the signing side, and verifying who wrote a message: for backends and QA |
//! | `testing` (feature) | a relay in the process, a clock set by hand, a network that fails |
//!
//! # What holds
//!
//! * No panic crosses the boundary: a task that panics is an error with the code `WL-DEFECT`.
//! * Every asynchronous call runs on threads of its own, never on the host's, and is given up when
//!   the host drops it.
//! * Every wait for the host has a time-out, and no lock is held during one.
//! * [`client::Client::shutdown`] lets go of everything that belongs to the host.
#![allow(
    unsafe_code,
    reason = "UniFFI's scaffolding exports C functions; the test `nothing_is_unsafe_by_hand` \
              holds our own code to none"
)]

pub mod amend;
pub mod answer;
#[cfg(feature = "authority")]
pub mod authority;
pub mod cancel;
pub mod client;
pub mod conversation;
pub mod draft;
pub mod error;
pub mod escalation;
pub mod event;
pub mod finding;
pub mod forward;
pub mod host;
mod ids;
pub mod inbox;
pub mod lifetime;
pub mod message;
pub mod offers;
pub mod open_items;
#[cfg(feature = "authority")]
pub mod proof;
pub mod reach;
pub mod roles;
pub mod runtime;
pub mod secret;
pub mod structured;
#[cfg(feature = "testing")]
pub mod testing;
pub mod timeline;
mod view;

pub use error::{Recovery, WardlineError};

uniffi::setup_scaffolding!();

/// The version of this library.
#[uniffi::export]
pub fn library_version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_is_unsafe_by_hand() {
        let word = ["un", "safe"].concat();
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let by_hand = text.lines().find(|line| {
                    line.split(|c: char| !c.is_alphanumeric() && c != '_')
                        .any(|found| found == word)
                });
                assert_eq!(by_hand, None, "{}", path.display());
            }
        }
    }
}
