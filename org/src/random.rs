//! Random bytes of the operating system, with the error kept: a device whose random source fails
//! says so instead of making a guessable key.

/// `N` fresh random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], RandomUnavailable> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| RandomUnavailable)?;
    Ok(bytes)
}

/// The operating system gave no random bytes. Restart the device; nothing was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes: restart it and try again")]
pub struct RandomUnavailable;
