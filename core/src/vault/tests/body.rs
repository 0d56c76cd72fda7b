use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

#[test]
fn bodies_sealed_in_either_form_open_for_the_reader() {
    let home = Home::created();
    let keys = home.reading_keys();
    let inbox = home.vault().open().unwrap();
    let place = BodyPlace::new("message.body", b"row");
    let reading = BodySealer::reading(&keys)
        .seal(place, b"potassium 6.8")
        .unwrap();
    let locked = BodySealer::locked_batch(&inbox.reading).unwrap();
    let locked = locked.seal(place, b"potassium 6.8").unwrap();
    assert_eq!((reading.len(), locked.len()), (13 + 41, 13 + 73));
    for sealed in [reading, locked] {
        assert!(!sealed.windows(9).any(|window| window == b"potassium"));
        assert_eq!(**keys.open_body(place, &sealed).unwrap(), *b"potassium 6.8");
    }
}

#[test]
fn a_body_moved_to_another_row_or_column_does_not_open() {
    let home = Home::created();
    let keys = home.reading_keys();
    let place = BodyPlace::new("message.body", b"row 1");
    let elsewhere = [
        BodyPlace::new("message.body", b"row 2"),
        BodyPlace::new("message.title", b"row 1"),
        // The same bytes split otherwise.
        BodyPlace::new("message.bodyr", b"ow 1"),
        BodyPlace::new("message.bod", b"yrow 1"),
    ];
    let locked = BodySealer::locked_batch(keys.public()).unwrap();
    for sealer in [BodySealer::reading(&keys), locked] {
        let sealed = sealer.seal(place, b"text").unwrap();
        for other in elsewhere {
            let error = keys.open_body(other, &sealed).unwrap_err();
            assert_eq!(error, BodyError::NotHere);
            assert_eq!(error.code(), "WL-VAULT-BODY-NOT-HERE");
        }
        keys.open_body(place, &sealed).unwrap();
    }
}

#[test]
fn bodies_of_another_vault_do_not_open() {
    let (home, other) = (Home::created(), Home::created());
    let (mine, theirs) = (home.reading_keys(), other.reading_keys());
    let place = BodyPlace::new("message.body", b"row");
    let locked = BodySealer::locked_batch(theirs.public()).unwrap();
    for sealer in [BodySealer::reading(&theirs), locked] {
        let sealed = sealer.seal(place, b"text").unwrap();
        assert_eq!(
            mine.open_body(place, &sealed).unwrap_err(),
            BodyError::NotHere
        );
    }
}

#[test]
fn a_batch_that_arrived_while_locked_costs_one_encapsulation_and_every_body_stands_alone() {
    let home = Home::created();
    let keys = home.reading_keys();
    let ids: Vec<_> = (0..50_u32).map(u32::to_be_bytes).collect();
    let batch = BodySealer::locked_batch(keys.public()).unwrap();
    let sealed: Vec<_> = ids
        .iter()
        .map(|id| batch.seal(BodyPlace::new("message.body", id), id).unwrap())
        .collect();
    assert!(
        sealed.iter().all(|body| body[..33] == sealed[0][..33]),
        "one encapsulated key"
    );
    let nonces: std::collections::HashSet<_> = sealed.iter().map(|body| &body[33..57]).collect();
    assert_eq!(nonces.len(), ids.len());
    let next = BodySealer::locked_batch(keys.public()).unwrap();
    let next = next
        .seal(BodyPlace::new("message.body", b"x"), b"x")
        .unwrap();
    assert_ne!(next[1..33], sealed[0][1..33], "another batch, another key");

    // In any order, with another batch between, and each without its neighbours.
    let mut opener = BodyOpener::new(&keys);
    for (id, sealed) in ids.iter().zip(&sealed).rev() {
        let place = BodyPlace::new("message.body", id);
        assert_eq!(**opener.open(place, sealed).unwrap(), id[..]);
        opener
            .open(BodyPlace::new("message.body", b"x"), &next)
            .unwrap();
        assert_eq!(**keys.open_body(place, sealed).unwrap(), id[..]);
    }
}

#[test]
fn resealing_gives_the_reading_form_and_leaves_that_form_alone() {
    let home = Home::created();
    let keys = home.reading_keys();
    let place = BodyPlace::new("message.body", b"row");
    let locked = BodySealer::locked_batch(keys.public())
        .unwrap()
        .seal(place, b"text")
        .unwrap();
    let mut opener = BodyOpener::new(&keys);
    let resealed = opener.reseal(place, &locked).unwrap().into_owned();
    assert_eq!(resealed.len(), locked.len() - 32);
    assert_eq!(**keys.open_body(place, &resealed).unwrap(), *b"text");
    assert!(matches!(
        opener.reseal(place, &resealed).unwrap(),
        std::borrow::Cow::Borrowed(same) if same == resealed
    ));
    let elsewhere = BodyPlace::new("message.body", b"other");
    assert_eq!(
        opener.reseal(elsewhere, &locked).unwrap_err(),
        BodyError::NotHere
    );
}

#[test]
fn a_form_of_the_future_asks_for_an_update() {
    let home = Home::created();
    let error = home
        .reading_keys()
        .open_body(BodyPlace::new("message.body", b"row"), &[3; 99])
        .unwrap_err();
    assert_eq!(error, BodyError::UnknownForm { form: 3 });
    assert_eq!(error.code(), "WL-VAULT-BODY-UNKNOWN-FORM");
}

#[test]
fn an_unusable_public_key_is_refused() {
    let zero = ReadingPublicKey::from_bytes(&[0; 32]).unwrap();
    assert_eq!(
        BodySealer::locked_batch(&zero).unwrap_err(),
        VaultError::Tampered
    );
}

static KEYS: LazyLock<ReadingKeys> = LazyLock::new(|| Home::created().reading_keys());

proptest! {
    #[test]
    fn any_body_opens_where_it_was_sealed_and_no_changed_one_does(
        body: Vec<u8>,
        row: Vec<u8>,
        locked: bool,
        flip in any::<prop::sample::Index>(),
        bit in 0..8_u8,
        cut in any::<prop::sample::Index>(),
    ) {
        let keys = &*KEYS;
        let place = BodyPlace::new("message.body", &row);
        let sealer = match locked {
            true => BodySealer::locked_batch(keys.public()).unwrap(),
            false => BodySealer::reading(keys),
        };
        let sealed = sealer.seal(place, &body).unwrap();
        prop_assert_eq!(&**keys.open_body(place, &sealed).unwrap(), &body);
        let mut changed = sealed.clone();
        let at = flip.index(changed.len());
        changed[at] ^= 1 << bit;
        // The highest bit of an X25519 key is ignored by its definition (RFC 7748), but HPKE hashes
        // the key as it came.
        prop_assert!(keys.open_body(place, &changed).is_err());
        prop_assert!(keys.open_body(place, &sealed[..cut.index(sealed.len())]).is_err());
    }
}
