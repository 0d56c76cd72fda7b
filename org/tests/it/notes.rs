use wardline_org::note::{Note, NoteError, NoteKey};
use wardline_org::policy::{Policy, PolicyError, SignedPolicy};
use wardline_org::{Hash, Signer};

use crate::hospital::{self, HEAD_SEED, POLICY_SEED, first_root, key, sign_root};

fn note_key(name: &str, seed: u8) -> NoteKey {
    NoteKey::new(name, key(seed).public_key()).unwrap()
}

fn signed(text: &str, seeds: &[u8]) -> Note {
    let keys: Vec<_> = seeds
        .iter()
        .map(|s| (note_key("mercy/test", *s), key(*s)))
        .collect();
    let pairs: Vec<_> = keys.iter().map(|(k, s)| (k, s as &dyn Signer)).collect();
    Note::sign(text, &pairs).unwrap()
}

/// The example of the published signed-note specification's reference implementation.
#[test]
fn the_note_of_another_implementation_verifies() {
    let text = "If you think cryptography is the answer to your problem,\n\
                then you don't know what your problem is.\n";
    let note: Note = format!(
        "{text}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )
    .parse()
    .unwrap();
    let verifier = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let encoded = verifier.rsplit('+').next().unwrap();
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded);
    let neumann = NoteKey::new("PeterNeumann", bytes.unwrap()[1..].try_into().unwrap()).unwrap();
    assert_eq!(neumann.to_string(), verifier);
    note.verify(&[neumann], 1).unwrap();
}

#[test]
fn a_note_counts_distinct_signers_against_the_threshold() {
    let note = signed("wardline/v1/test\n", &[1, 2]);
    let keys = [1, 2, 3].map(|seed| note_key("mercy/test", seed));
    assert_eq!(note.verify(&keys, 2), Ok(()));
    assert_eq!(note.verify(&keys, 3), Err(NoteError::NotSigned));
    assert_eq!(note.verify(&keys[2..], 1), Err(NoteError::NotSigned));
    assert_eq!(note.verify(&[], 0), Err(NoteError::NotSigned));

    // The same key listed or signed twice counts once.
    let twice = [keys[0].clone(), keys[0].clone()];
    assert_eq!(note.verify(&twice, 2), Err(NoteError::NotSigned));
    let doubled = signed("wardline/v1/test\n", &[1, 1]);
    assert_eq!(doubled.verify(&keys, 2), Err(NoteError::NotSigned));
}

#[test]
fn an_altered_text_is_refused() {
    let note = signed("wardline/v1/test\nyes\n", &[1]).to_string();
    let altered: Note = note.replace("yes", "no").parse().unwrap();
    assert_eq!(
        altered.verify(&[note_key("mercy/test", 1)], 1),
        Err(NoteError::BadSignature)
    );
}

#[test]
fn a_key_signs_under_its_own_name_only() {
    let note = signed("wardline/v1/test\n", &[1]);
    assert_eq!(
        note.verify(&[note_key("mercy/other", 1)], 1),
        Err(NoteError::NotSigned)
    );
}

#[test]
fn texts_that_are_no_notes_are_refused() {
    let good = signed("wardline/v1/test\n", &[1]).to_string();
    assert!(good.parse::<Note>().is_ok());
    for bad in [
        String::new(),
        "\n\n".to_owned(),
        "text\n\n".to_owned(),
        "text\n\n\n".to_owned(),
        good.trim_end().to_owned(),
        good.replace("— ", "- "),
        good.replace("\n\n", "\n"),
        good.replace("test\n\n", "te\rst\n\n"),
        format!("{good}trailing"),
        format!("{good}\n"),
        good.replacen("— mercy/test ", "— mercy/test !", 1),
        "x".repeat(300 * 1024),
    ] {
        assert!(
            bad.parse::<Note>().is_err(),
            "{:?}",
            &bad[..bad.len().min(80)]
        );
    }
}

#[test]
fn a_text_may_have_blank_lines() {
    let note = signed("wardline/v1/test\n\nmore\n\n", &[1]);
    let read: Note = note.to_string().parse().unwrap();
    assert_eq!(read, note);
}

#[test]
fn the_texts_of_root_head_and_policy_stay_as_they_are() {
    let root = sign_root(&first_root(), &hospital::ROOT_SEEDS[..2]);
    insta::assert_snapshot!(root.to_string(), @r#"
    wardline/v1/root
    org mercy
    version 1
    threshold 2
    root d62f016a1efd1e4fdf793eb42cd84471e1ba9f0cf04d1287b5cc71f616287cb8
    root 34b4d9043156cb6dcf0beb0a2949b7559c940d2bcb6dbe8c53a9b30278e3a746
    root 12a41592c8b7c17d4059e7b29b61e8ff96c7415f2f803348f2f017e05b9ea1da
    head 014e4d922c596a380adfc9eed722e835822f1236761693e4babb61e1afbb04f1
    policy c86d01ad8b2fb694b22ff60e3c9d9e7ed90db5604772b74450d40913b9a9cbaf
    ticket 19204c8c3ba85ba059cd18ac9017bd02a18da5d10c68fb779a34be43ef067791
    authority e2fe2a39b7326642827d6d82d497622cd6c297fe78270eaa436b01f086b6f3cb
    wipe 5b6489c9c7fd0dcf50545e7c164886ef40491ec06c7f1b123041797e8117535e
    relay fec1428673f6afe89264b3807344ae8b269d125a503855202687db5a7128579f

    — mercy/root fLMtyXIFKp3nKPRP0lNjLOz2INSocvd+4ZtjgGwMhjF8y4E+aaS8B2xWXp7JV15/D4VnbnEW/3LfCOWAaC3K02H4rAc=
    — mercy/root c9jCzefFPswsFx3s2YfSK9nJenJI9PBeiz4gHrajC20vUcCGTNOIZa32T6hKa95ODkZQFGqDdIKqmJ+mopTJvW7MWQw=
    "#);

    let hospital = hospital::Hospital::with_people(&["DR-CA-001"]);
    insta::assert_snapshot!(hospital.directory.head().unwrap().to_string(), @r#"
    wardline/v1/head
    org mercy
    version 1
    issued 2026-11-22T12:00:00.000Z
    expires 2026-11-23T12:00:00.000Z
    count 1
    entries 6bb6af0b210637055027e72744f1fc39973cd946d284a3225ad14fb216e1bca0
    policy 0a6e3303f7014b8286dcfd37f169d4731ad522265c2f5458aed8ef7ed382ad18
    heads e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855

    — mercy/head tBCoQ/pkeaMd5RY+Mq5TtKj8TzpQAHwJ6CjBjhc2iCs0kgwBohcWw7jGVCQ5yLb+vo/6tPY0hxlA0hwYY3hdvIkvyw4=
    "#);
    insta::assert_snapshot!(hospital.policy.to_string(), @r#"
    wardline/v1/policy
    {
      "organization": "mercy",
      "version": 1,
      "max_text_bytes": 65536,
      "head_refresh_seconds": 60,
      "offline_limit_seconds": 86400,
      "reseal_window_seconds": 604800
    }

    — mercy/policy Gtd7OvzDHRJ8G9Q4cI6SYBf7khyrNBrGABIFE3cwGwDQxSaOc72RdFzL31MZJy4AsQh9rmGcqvyqpCquSQwgk7KbHQ0=
    "#);
    insta::assert_snapshot!(root.root().note_keys(wardline_org::root::Purpose::Head)[0], @r#"mercy/head+b410a843+AQFOTZIsWWo4Ct/J7tci6DWCLxI2dhaT5Lq7YeGvuwTx"#);
}

#[test]
fn rules_of_a_later_policy_survive() {
    let mut policy = Policy::new(hospital::org());
    policy.other.insert(
        "recall_allowed".into(),
        serde_json::json!({"roles": ["doctor"]}),
    );
    let signed = SignedPolicy::sign(&policy, &key(POLICY_SEED)).unwrap();
    let read: SignedPolicy = signed.to_string().parse().unwrap();
    assert_eq!(read.policy(), &policy);
    read.verify(&first_root()).unwrap();
    assert!(read.to_string().contains("recall_allowed"));
}

#[test]
fn rules_that_are_left_out_have_their_defaults() {
    let key_of_policy = note_key("mercy/policy", POLICY_SEED);
    let text = "wardline/v1/policy\n{\"organization\":\"mercy\",\"version\":3}\n";
    let note = Note::sign(text, &[(&key_of_policy, &key(POLICY_SEED))]).unwrap();
    let read: SignedPolicy = note.to_string().parse().unwrap();
    assert_eq!(
        read.policy(),
        &Policy {
            version: 3,
            ..Policy::new(hospital::org())
        }
    );
    assert_eq!(read.hash(), Hash::of(text.as_bytes()));
}

#[test]
fn a_policy_out_of_range_or_signed_by_another_key_is_refused() {
    let policy = Policy {
        head_refresh_seconds: 0,
        ..Policy::new(hospital::org())
    };
    let refused = SignedPolicy::sign(&policy, &key(POLICY_SEED));
    assert_eq!(
        refused.unwrap_err(),
        PolicyError::Range("head_refresh_seconds")
    );

    let by_head_key = SignedPolicy::sign(&Policy::new(hospital::org()), &key(HEAD_SEED)).unwrap();
    let refused = by_head_key.verify(&first_root());
    assert_eq!(refused, Err(PolicyError::Note(NoteError::NotSigned)));
}
