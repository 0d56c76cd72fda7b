use std::time::Duration;

use proptest::prelude::*;
use wardline_org::{DeviceId, EntryKey, EnvelopeId, Hash, OrgId, Timestamp, UserId};

use crate::support::start;

#[test]
fn names_with_other_characters_or_lengths_are_refused() {
    for bad in ["", "a b", "a/b", "ä", "a\n", &"x".repeat(65)] {
        assert!(UserId::new(bad).is_err(), "{bad:?}");
        assert!(
            format!("person/{bad}").parse::<EntryKey>().is_err(),
            "{bad:?}"
        );
    }
    assert!(OrgId::new("x".repeat(64)).is_ok());
}

#[test]
fn debug_of_a_person_shows_neither_name_nor_a_hash_that_outlives_the_process() {
    let user = UserId::new("DR-CA-001").unwrap();
    let shown = format!("{user:?}");
    assert!(!shown.contains("DR-CA-001"));
    assert_eq!(shown, format!("{:?}", user.clone()));
    assert_ne!(shown, format!("{:?}", UserId::new("DR-CA-002").unwrap()));
    assert!(!shown.contains(&Hash::of(b"DR-CA-001").to_string()[..8]));
}

#[test]
fn device_id_is_the_agreed_hash_of_both_keys() {
    let mut message = b"wardline/v1/device-id\0".to_vec();
    message.extend([1; 32]);
    message.extend([2; 32]);
    let id = DeviceId::from_keys(&[1; 32], &[2; 32]);
    assert_eq!(id.as_bytes(), &Hash::of(&message).as_bytes()[..16]);
    assert_eq!(id.to_string().parse::<DeviceId>().unwrap(), id);
    assert!(id.to_string().to_uppercase().parse::<DeviceId>().is_err());
    assert_ne!(id, DeviceId::from_keys(&[2; 32], &[1; 32]));
}

#[test]
fn envelope_ids_ascend_with_time_and_other_uuids_are_refused() {
    let first = EnvelopeId::generate(start()).unwrap();
    let second = EnvelopeId::generate(start() + Duration::from_millis(1)).unwrap();
    assert!(first < second);
    assert_eq!(EnvelopeId::from_slice(first.as_bytes()).unwrap(), first);
    assert!(EnvelopeId::from_slice(&[0; 16]).is_err());
    assert!(EnvelopeId::from_slice(&[0; 15]).is_err());
}

#[test]
fn a_moment_has_one_spelling() {
    assert_eq!(start().to_string(), "2026-11-22T12:00:00.000Z");
    for other in [
        "2026-11-22T12:00:00Z",
        "2026-11-22T13:00:00.000+01:00",
        "2026-11-22",
    ] {
        assert!(other.parse::<Timestamp>().is_err(), "{other}");
    }
}

proptest! {
    #[test]
    fn entry_keys_are_ordered_as_their_text(
        a in "(person|role|team)/[A-Za-z0-9._-]{1,8}",
        b in "(person|role|team)/[A-Za-z0-9._-]{1,8}",
    ) {
        let (left, right): (EntryKey, EntryKey) = (a.parse().unwrap(), b.parse().unwrap());
        prop_assert_eq!(left.cmp(&right), a.cmp(&b));
        prop_assert_eq!(left.to_string(), a);
    }

    #[test]
    fn any_moment_of_the_calendar_survives_its_text(millis in -62_135_596_800_000_i64..253_402_300_799_999) {
        let timestamp = Timestamp::from_millis(millis);
        prop_assert_eq!(timestamp.to_string().parse::<Timestamp>().unwrap(), timestamp);
    }
}
