use wardline_org::note::NoteError;
use wardline_org::root::{Purpose, Root, RootError, SignedRoot, follow};
use wardline_org::{Hash, Signer};

use crate::hospital::{ROOT_SEEDS, first_root, key, sign_root};

/// Version 2: one root key and the head key are replaced.
fn second_root() -> Root {
    let mut root = Root {
        version: 2,
        ..first_root()
    };
    root.root_keys[2] = key(104).public_key();
    root.keys[0].1 = key(120).public_key();
    root
}

fn first() -> SignedRoot {
    sign_root(&first_root(), &ROOT_SEEDS[..2])
}

fn notes(roots: &[&SignedRoot]) -> Vec<String> {
    roots.iter().map(|root| root.to_string()).collect()
}

#[test]
fn the_pinned_document_and_its_successors_are_followed() {
    let second = sign_root(&second_root(), &[101, 102, 104]);
    let third = sign_root(
        &Root {
            version: 3,
            ..second_root()
        },
        &[102, 104],
    );
    let all = notes(&[&first(), &second, &third]);
    let followed = follow(&first().hash(), None, &all).unwrap();
    assert_eq!(followed.last().unwrap(), &third);

    // Somebody who holds the second one gets only what is new.
    let followed = follow(&first().hash(), Some(&second), &all).unwrap();
    assert_eq!(followed, std::slice::from_ref(&third));
    // An app with a newer pin does not care for what was before.
    let followed = follow(&second.hash(), None, &all).unwrap();
    assert_eq!(followed, [second, third]);
}

#[test]
fn a_document_that_is_not_pinned_is_refused() {
    let refused = follow(&Hash::of(b"another"), None, &notes(&[&first()]));
    assert_eq!(refused, Err(RootError::NotPinned));
    assert_eq!(
        follow(&first().hash(), None, &[]),
        Err(RootError::NotPinned)
    );
}

#[test]
fn a_rotation_without_the_old_threshold_is_refused() {
    // Enough keys of the new document, one of the old.
    let second = sign_root(&second_root(), &[101, 104]);
    let refused = follow(&first().hash(), None, &notes(&[&first(), &second]));
    assert_eq!(refused, Err(RootError::Note(NoteError::NotSigned)));
    assert_eq!(
        first().accepts(&second),
        Err(RootError::Note(NoteError::NotSigned))
    );
}

#[test]
fn a_rotation_without_the_new_threshold_is_refused() {
    let mut root = second_root();
    root.root_keys = [104, 105, 106].map(|seed| key(seed).public_key()).to_vec();
    let [a, b, c] = [101, 102, 104].map(key);
    let refused = SignedRoot::sign(&root, &[&a, &b, &c]);
    assert_eq!(refused.unwrap_err(), RootError::Note(NoteError::NotSigned));
}

#[test]
fn a_version_that_is_skipped_is_refused() {
    let third = sign_root(
        &Root {
            version: 3,
            ..second_root()
        },
        &[101, 102],
    );
    let refused = follow(&first().hash(), None, &notes(&[&first(), &third]));
    assert_eq!(refused, Err(RootError::VersionGap));
}

#[test]
fn a_document_of_another_organization_is_no_successor() {
    let other = Root {
        org: "general".parse().unwrap(),
        ..second_root()
    };
    let other = sign_root(&other, &[101, 102]);
    assert_eq!(first().accepts(&other), Err(RootError::OtherOrg));
}

#[test]
fn a_key_with_two_purposes_is_refused() {
    let [a, b] = [101, 102].map(key);
    let mut shared = first_root();
    shared.keys[1].1 = shared.keys[0].1;
    assert_eq!(
        SignedRoot::sign(&shared, &[&a, &b]),
        Err(RootError::SharedKey)
    );

    let mut also_root = first_root();
    also_root.keys[0].1 = also_root.root_keys[0];
    assert_eq!(
        SignedRoot::sign(&also_root, &[&a, &b]),
        Err(RootError::SharedKey)
    );

    let mut weak = first_root();
    weak.keys[0].1 = [0; 32];
    assert_eq!(SignedRoot::sign(&weak, &[&a, &b]), Err(RootError::WeakKey));
}

#[test]
fn impossible_thresholds_and_missing_keys_are_refused() {
    let [a, b] = [101, 102].map(key);
    let mut no_head = first_root();
    no_head
        .keys
        .retain(|(purpose, _)| *purpose != Purpose::Head);
    for root in [
        Root {
            threshold: 0,
            ..first_root()
        },
        Root {
            threshold: 4,
            ..first_root()
        },
        Root {
            version: 0,
            ..first_root()
        },
        Root {
            root_keys: Vec::new(),
            ..first_root()
        },
        no_head,
    ] {
        assert_eq!(
            SignedRoot::sign(&root, &[&a, &b]),
            Err(RootError::Malformed)
        );
    }
}

#[test]
fn a_statement_has_one_spelling_and_later_lines_survive() {
    let good = first().to_string();
    for bad in [
        good.replace("version 1", "version 01"),
        good.replace("threshold 2", "threshold +2"),
        good.replace(
            &hex::encode(key(110).public_key()),
            &hex::encode_upper(key(110).public_key()),
        ),
        good.replace("wardline/v1/root", "wardline/v1/head"),
    ] {
        assert_ne!(bad, good);
        assert_eq!(bad.parse::<SignedRoot>(), Err(RootError::Malformed));
    }

    let text = good.split("\n\n").next().unwrap().to_owned() + "\nbackup 3\n";
    let keys: Vec<_> = ROOT_SEEDS
        .iter()
        .map(|seed| {
            let signer = key(*seed);
            let name = wardline_org::note::NoteKey::new("mercy/root", signer.public_key());
            (name.unwrap(), signer)
        })
        .collect();
    let pairs: Vec<_> = keys.iter().map(|(k, s)| (k, s as &dyn Signer)).collect();
    let later = wardline_org::note::Note::sign(text, &pairs)
        .unwrap()
        .to_string();
    let read: SignedRoot = later.parse().unwrap();
    assert_eq!(read.root(), first().root());
    assert_eq!(read.to_string(), later);
}
