//! From a passphrase to a key: Argon2id, joined with the platform's share.
//!
//! A PIN of six digits has twenty bits; Argon2id makes each guess cost, and the share makes guesses
//! impossible away from the device. Both are needed to read, neither is enough.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    error::VaultError,
    secret::{Passphrase, SALT_LENGTH, Secret, hkdf},
};

/// What one guess at a passphrase costs (Argon2id, RFC 9106). Kept in the vault, so that it can be
/// raised when the passphrase is next changed.
///
/// The default, 64 MiB and three passes in one lane, is the second recommendation of RFC 9106 with
/// the lanes run one after the other; a phone needs about a quarter of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Argon2Params {
    /// Memory in KiB.
    memory: u32,
    passes: u32,
    lanes: u32,
}

impl Argon2Params {
    /// The weakest that is accepted: 19 MiB and two passes, the least that OWASP's password storage
    /// guide recommends. Raising it in a later version would shut out whoever enrolled at the old
    /// one: that takes a new format first.
    pub const FLOOR: Self = Self {
        memory: 19 * 1024,
        passes: 2,
        lanes: 1,
    };

    /// The strongest that is accepted, so that an edited file cannot stop a device dead.
    pub const CEILING: Self = Self {
        memory: 1024 * 1024,
        passes: 64,
        lanes: 16,
    };

    /// `memory` in KiB, `passes` over it, in `lanes`.
    ///
    /// # Errors
    ///
    /// [`VaultError::WeakParameters`] below [`FLOOR`](Self::FLOOR) or above [`CEILING`](Self::CEILING).
    pub fn new(memory: u32, passes: u32, lanes: u32) -> Result<Self, VaultError> {
        let params = Self {
            memory,
            passes,
            lanes,
        };
        params.check(Self::FLOOR)?;
        Ok(params)
    }

    /// Cheap enough for hundreds of unlocks in one test. Accepted only by a vault that was told to,
    /// see [`Vault::accept_weak_parameters`](super::Vault::accept_weak_parameters).
    #[cfg(any(test, feature = "testing"))]
    pub fn weak_for_tests() -> Self {
        Self {
            memory: 8,
            passes: 1,
            lanes: 1,
        }
    }

    pub(super) fn check(self, floor: Self) -> Result<(), VaultError> {
        let ceiling = Self::CEILING;
        let accepted = (floor.memory..=ceiling.memory).contains(&self.memory)
            && (floor.passes..=ceiling.passes).contains(&self.passes)
            && (floor.lanes..=ceiling.lanes).contains(&self.lanes);
        if accepted {
            Ok(())
        } else {
            Err(VaultError::WeakParameters)
        }
    }

    /// The parameters as they go into associated data.
    pub(super) fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        let numbers = [self.memory, self.passes, self.lanes];
        for (place, number) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(numbers) {
            *place = number.to_be_bytes();
        }
        bytes
    }
}

impl Default for Argon2Params {
    fn default() -> Self {
        Self {
            memory: 64 * 1024,
            passes: 3,
            lanes: 1,
        }
    }
}

/// The key that wraps the reading key:
/// `HKDF-SHA256(salt, Argon2id(passphrase, salt) || share, info)`.
pub(super) fn key_encryption_key(
    passphrase: &Passphrase,
    params: Argon2Params,
    salt: &[u8; SALT_LENGTH],
    share: &Secret,
    info: &[u8],
) -> Result<Secret, VaultError> {
    let stretched = stretch(passphrase, params, salt)?;
    let mut ikm = Zeroizing::new(Vec::with_capacity(2 * stretched.expose().len()));
    ikm.extend_from_slice(stretched.expose());
    ikm.extend_from_slice(share.expose());
    hkdf(salt, &ikm, &[info])
}

fn stretch(
    passphrase: &Passphrase,
    params: Argon2Params,
    salt: &[u8; SALT_LENGTH],
) -> Result<Secret, VaultError> {
    let mut stretched = Secret::zero();
    let params = Params::new(params.memory, params.passes, params.lanes, None)
        .map_err(|_| VaultError::WeakParameters)?;
    // Brought along and not left to the library, so that it is wiped afterwards and that a device
    // without room for it gets an error.
    let mut memory = Vec::new();
    memory
        .try_reserve_exact(params.block_count())
        .map_err(|_| VaultError::OutOfMemory)?;
    memory.resize(params.block_count(), Block::default());
    let mut memory: Zeroizing<Vec<Block>> = Zeroizing::new(memory);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(
            passphrase.as_bytes(),
            salt,
            stretched.expose_mut(),
            memory.as_mut_slice(),
        )
        .map_err(|_| VaultError::Internal)?;
    Ok(stretched)
}
