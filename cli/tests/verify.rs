//! `wardline verify` as an auditor runs it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test may fail, and nobody imports it"
)]

use std::{
    convert::Infallible,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;
use wardline_org::{
    Credential, SignedCredential, Signer as _, SoftwareSigner, Timestamp,
    directory::Directory,
    entry::{Entry, EntryBody},
    head::{Head, SignedHead},
    log::HeadLog,
    person::{ChangeKind, Device, DeviceChange, Person},
    policy::{Policy, SignedPolicy},
    proof::{AMEND, CONTENT_PURPOSE, MessageProof, TEXT},
    root::{Purpose, Root, SignedRoot},
    signer::sign_tagged,
    trust::Trust,
};
use wardline_proto::{Message as _, v1};

#[test]
fn a_proof_that_holds_says_who_wrote_what_when_and_under_which_head() {
    let scene = Scene::new(false);
    let output = scene.verify(&[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    for part in [
        "proven: Dr. Gupta (DR-1) of mercy wrote this at 2026-11-22T12:00:00.000Z",
        "\n    K 6.6 mmol/L",
        "corrected at 2026-11-22T12:00:00.000Z, reason: typing error",
        "\n    K 5.6 mmol/L\n",
        "(ward phone)",
        "head    1 of 2026-11-22T12:00:00.000Z, ",
        "root    version 1",
    ] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
    assert!(!told.contains('\u{1b}'), "a text must not steer a terminal");
}

#[test]
fn a_script_reads_json_also_of_what_does_not_hold() {
    let scene = Scene::new(false);
    let output = scene.verify(&["--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["verdict"], "proven");
    assert_eq!(told["organization"], "mercy");
    assert_eq!(told["author"]["user"], "DR-1");
    assert_eq!(told["written_at"], "2026-11-22T12:00:00.000Z");
    assert_eq!(told["text"], "K 6.6 mmol/L\u{1b}[2J");
    assert_eq!(told["corrections"][0]["text"], "K 5.6 mmol/L");
    assert_eq!(told["head"]["version"], 1);

    let other = Scene::new(false);
    let root = other.path("root.note");
    let output = run(&scene.path("message.proof"), &root, &["--json"]);
    assert_eq!(output.status.code(), Some(7));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["verdict"], "refused");
    assert_eq!(told["cause"], "wrong-root");
}

#[test]
fn what_does_not_hold_is_named() {
    let scene = Scene::new(false);
    let other = Scene::new(false);
    let proof = scene.path("message.proof");
    let failed = run(&proof, &other.path("root.note"), &[]);
    assert_failure(&failed, 7, "wrong-root");
    assert!(failed.stdout.is_empty(), "nothing is shown as proven");

    let good = fs::read(&proof).unwrap();
    let mut altered = good.clone();
    let text = b"K 6.6 mmol/L";
    let at = altered.windows(text.len()).position(|part| part == text);
    altered[at.unwrap() + 2] = b'9';
    fs::write(&proof, &altered).unwrap();
    assert_failure(&scene.verify(&[]), 7, "altered");

    let mut forged = v1::MessageProof::decode(good.as_slice()).unwrap();
    forged.message.as_mut().unwrap().signature[0] ^= 1;
    fs::write(&proof, forged.encode_to_vec()).unwrap();
    assert_failure(&scene.verify(&[]), 7, "bad-signature");

    assert_failure(&Scene::new(true).verify(&[]), 7, "revoked");
}

#[test]
fn files_that_are_none_of_their_kind_are_named() {
    let scene = Scene::new(false);
    let root = scene.path("root.note");
    assert_failure(&run(Path::new("/no/such"), &root, &[]), 6, "/no/such");
    assert_failure(&run(&root, &root, &[]), 6, "root.note");
    let proof = scene.path("message.proof");
    assert_failure(&run(&proof, &proof, &[]), 6, "message.proof");
    let no_root = wardline().arg("verify").arg(&proof).output().unwrap();
    assert_failure(&no_root, 2, "--root");
    let help = wardline().args(["verify", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for part in ["Example:", "Exit codes:", "--json"] {
        assert!(help.contains(part), "{part} is missing");
    }
}

/// A folder with a root document and a proof of what a doctor wrote.
struct Scene {
    folder: TempDir,
}

impl Scene {
    fn new(revoked: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let device = SoftwareSigner::generate().unwrap();
        let credential = credential(&device);
        let id = credential.device_id().to_vec();
        let (root, head, author) = publish(person(credential, revoked));
        let first = v1::Content {
            version: 1,
            organization: "mercy".into(),
            message_id: vec![1; 16],
            sender_user_id: "DR-1".into(),
            sender_device: id.clone(),
            created_at_ms: now().as_millis(),
            type_uri: TEXT.into(),
            body: v1::TextBody {
                text: "K 6.6 mmol/L\u{1b}[2J".into(),
            }
            .encode_to_vec(),
            ..Default::default()
        };
        let correction = v1::Content {
            message_id: vec![2; 16],
            type_uri: AMEND.into(),
            body: v1::AmendBody {
                text: "K 5.6 mmol/L".into(),
                reason: "typing error".into(),
                ..Default::default()
            }
            .encode_to_vec(),
            subject: Some(v1::MessageReference {
                sender_device: id,
                message_id: vec![1; 16],
                content_hash: Vec::new(),
            }),
            ..first.clone()
        };
        let sign = |content: &v1::Content| {
            let content = content.encode_to_vec();
            let signature = sign_tagged(&device, CONTENT_PURPOSE, &content).to_vec();
            v1::SignedContent { content, signature }
        };
        let proof = MessageProof::new(sign(&first), vec![sign(&correction)], head, author);
        fs::write(folder.path().join("message.proof"), proof.encode()).unwrap();
        fs::write(folder.path().join("root.note"), root.to_string()).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn verify(&self, arguments: &[&str]) -> Output {
        run(
            &self.path("message.proof"),
            &self.path("root.note"),
            arguments,
        )
    }
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00.000Z".parse().unwrap()
}

fn credential(device: &SoftwareSigner) -> SignedCredential {
    let credential = Credential {
        org: "mercy".parse().unwrap(),
        user: "DR-1".parse().unwrap(),
        ed25519: device.public_key(),
        // The base point: nobody seals for this device.
        curve25519: std::array::from_fn(|at| if at == 0 { 9 } else { 0 }),
        capabilities: Vec::new(),
        label: "ward phone".into(),
        created_at: now(),
    };
    SignedCredential::create(device, credential).unwrap()
}

fn person(credential: SignedCredential, revoked: bool) -> Person {
    let device = credential.device_id();
    let mut person = Person::new("DR-1".parse().unwrap(), "Dr. Gupta");
    let added = DeviceChange::next(None, device, ChangeKind::Added, now());
    if revoked {
        let change = DeviceChange::next(Some(&added), device, ChangeKind::Revoked, now());
        person.device_changes = vec![added, change];
    } else {
        person.device_changes = vec![added];
    }
    person.devices = vec![Device {
        credential,
        enrolled_at: now(),
        revoked_at: revoked.then(now),
        vouches: Vec::new(),
    }];
    person
}

/// Publishes a directory of one person under fresh keys.
fn publish(person: Person) -> (SignedRoot, v1::HeadResponse, v1::EntryAnswer) {
    let org = || "mercy".parse().unwrap();
    let [root_key, head_key, policy_key, authority_key] =
        [(); 4].map(|()| SoftwareSigner::generate().unwrap());
    let root = Root {
        org: org(),
        version: 1,
        threshold: 1,
        root_keys: vec![root_key.public_key()],
        keys: vec![
            (Purpose::Head, head_key.public_key()),
            (Purpose::Policy, policy_key.public_key()),
            (Purpose::Authority, authority_key.public_key()),
        ],
    };
    let root = SignedRoot::sign(&root, &[&root_key]).unwrap();
    let policy = SignedPolicy::sign(&Policy::new(org()), &policy_key).unwrap();
    let entry = Entry::new(&org(), 1, EntryBody::Person(person)).unwrap();
    let mut directory = Directory::new(org(), root.hash());
    let leaf = (entry.key().clone(), entry.hash());
    let tree = directory.entries().with([leaf], &[]);
    let head = Head {
        org: org(),
        version: 1,
        issued_at: now(),
        expires_at: now() + std::time::Duration::from_secs(3600),
        entries_count: tree.root().count,
        entries_root: tree.root().hash,
        policy_hash: policy.hash(),
        heads_root: HeadLog::new([]).root(),
    };
    let request = v1::PublishHeadRequest {
        expected_version: 0,
        head: SignedHead::sign(&head, &head_key).unwrap().to_string(),
        changed_entries: vec![entry.bytes().to_vec()],
        removed_keys: Vec::new(),
        policy: policy.to_string(),
        roots: vec![root.to_string()],
    };
    let publication = directory.check(&request).unwrap();
    directory.apply(publication).unwrap();
    let stranger = Trust::new(org(), root.hash());
    let answer = directory.head_answer(&stranger.request()).unwrap();
    let bytes = |_: &_| Ok::<_, Infallible>(entry.bytes().to_vec());
    let author = directory.entries().answer(entry.key(), &[], bytes);
    (root, answer, author.unwrap())
}

fn wardline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardline"));
    command.env_remove("WARDLINE_LOG").env("NO_COLOR", "1");
    command
}

fn run(proof: &Path, root: &Path, arguments: &[&str]) -> Output {
    let mut command = wardline();
    command.arg("verify").arg(proof).arg("--root").arg(root);
    command.args(arguments).output().unwrap()
}

fn assert_failure(output: &Output, code: i32, names: &str) {
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert!(told.contains(names), "{told}");
    assert!(!told.contains("panicked"), "{told}");
}
