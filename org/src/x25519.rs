//! Which Curve25519 public keys are refused: the points of small order, with which every private
//! key agrees on the same, publicly known secret.

/// Whether a key agreement with this public key has a secret result.
pub(crate) fn is_sound_key(public_key: &[u8; 32]) -> bool {
    let mut masked = *public_key;
    if let Some(last) = masked.last_mut() {
        *last &= 0x7f; // X25519 ignores the top bit (RFC 7748, section 5)
    }
    !SMALL_ORDER.contains(&masked)
}

/// Every encoding of a point whose order divides 8, on the curve or its twist: u = 0, 1, the two
/// points of order 8, p - 1, and the non-canonical p and p + 1.
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0,
    ],
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
    near_p(0xec),
    near_p(0xed),
    near_p(0xee),
];

/// p = 2^255 - 19 with another lowest byte.
const fn near_p(lowest: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    let [first, .., last] = &mut bytes;
    *first = lowest;
    *last = 0x7f;
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn every_listed_key_agrees_on_zero_with_anybody_and_a_generated_key_does_not() {
        for key in SMALL_ORDER {
            assert_eq!(x25519_dalek::x25519([7; 32], key), [0; 32]);
            assert!(!is_sound_key(&key));

            let mut with_top_bit = key;
            with_top_bit[31] |= 0x80;
            assert!(!is_sound_key(&with_top_bit));
        }
        let key = x25519_dalek::x25519([7; 32], x25519_dalek::X25519_BASEPOINT_BYTES);
        assert!(is_sound_key(&key));
    }
}
