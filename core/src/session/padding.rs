//! Sizes that say little: what is sealed is padded to a class before it is encrypted.
//!
//! Padmé (PURBs, PETS 2019) keeps only the leading bits of a length, so that it leaks at most
//! O(log log n) bits and costs at most 12 %; short texts all share one class. The padding itself is
//! ISO/IEC 7816-4: one `0x80`, then zeros.

/// Pads `bytes` to the class of their length, at least `floor`.
pub(crate) fn pad(mut bytes: Vec<u8>, floor: usize) -> Vec<u8> {
    let target = size_class(bytes.len() + 1, floor);
    bytes.push(MARK);
    bytes.resize(target, 0);
    bytes
}

/// The bytes before the padding; `None` when there is no padding.
pub(crate) fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let end = padded.iter().rposition(|byte| *byte != 0)?;
    (padded.get(end) == Some(&MARK))
        .then(|| padded.get(..end))
        .flatten()
}

/// The padded length of `length` bytes.
fn size_class(length: usize, floor: usize) -> usize {
    let length = length.max(floor).max(2);
    let exponent = length.ilog2();
    let kept_bits = exponent.ilog2() + 1;
    let mask = (1_usize << exponent.saturating_sub(kept_bits)) - 1;
    length.saturating_add(mask) & !mask
}

const MARK: u8 = 0x80;

/// Contents: an ordinary text message hides among all others.
pub(crate) const CONTENT_FLOOR: usize = 512;
/// What one device seals to another: a content key fits, and so do a few receipts.
pub(crate) const SEALED_FLOOR: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_texts_share_one_size() {
        assert_eq!(pad(b"K 6.6".to_vec(), CONTENT_FLOOR).len(), 512);
        assert_eq!(pad(vec![b'x'; 400], CONTENT_FLOOR).len(), 512);
    }

    #[test]
    fn what_is_not_padded_is_refused() {
        assert_eq!(unpad(b""), None);
        assert_eq!(unpad(&[0; 9]), None);
        assert_eq!(unpad(b"text"), None);
    }

    proptest! {
        #[test]
        fn padding_comes_off_again_and_costs_at_most_an_eighth(
            bytes in proptest::collection::vec(any::<u8>(), 0..5000),
        ) {
            let padded = pad(bytes.clone(), CONTENT_FLOOR);
            prop_assert!(padded.len() <= (bytes.len() + 1).max(CONTENT_FLOOR) * 9 / 8);
            prop_assert_eq!(unpad(&padded), Some(bytes.as_slice()));
        }

        #[test]
        fn any_bytes_unpad_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = unpad(&bytes);
        }

        #[test]
        fn a_class_is_its_own_class(length in 2_usize..10_000_000) {
            let class = size_class(length, 0);
            prop_assert!(class >= length);
            prop_assert_eq!(size_class(class, 0), class);
        }
    }
}
