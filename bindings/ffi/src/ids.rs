//! Identifiers cross the boundary as text (a Kotlin `ByteArray` compares by identity). Here they are
//! read, once, at the edge.

use std::str::FromStr;

use crate::error::WardlineError;

/// Reads an identifier; `name` is the argument's, for the error.
pub(crate) fn parse<T: FromStr>(name: &'static str, text: &str) -> Result<T, WardlineError> {
    text.parse().map_err(|_| WardlineError::argument(name))
}
