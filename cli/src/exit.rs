//! Exit codes, so that a service manager or a script can tell what went wrong.

use std::fmt::Display;

/// A command that did not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl Display) -> Self {
        Self {
            code,
            message: message.to_string(),
        }
    }

    /// Says what was being done when it failed.
    pub(crate) fn doing(code: u8, what: impl Display, error: impl Display) -> Self {
        Self::new(code, format!("{what}: {error}"))
    }
}

/// Anything that has no code of its own.
pub(crate) const OTHER: u8 = 1;
/// The arguments do not fit each other.
pub(crate) const USAGE: u8 = 2;
/// The address cannot be listened on.
pub(crate) const ADDRESS: u8 = 3;
/// The data folder cannot be used: not writable, full, damaged, or in use by another relay.
pub(crate) const DATA: u8 = 4;
/// The data was written by a newer version.
pub(crate) const NEWER: u8 = 5;
/// A file that was named cannot be used: root document, certificate, key, push gateway.
pub(crate) const FILE: u8 = 6;
/// What was to be verified does not hold.
pub(crate) const UNPROVEN: u8 = 7;
