//! A message proves who wrote it to whoever holds a root document, and to nobody what is not so.

use wardline_org::person::{ChangeKind, DeviceChange, Person, PersonStatus};
use wardline_org::proof::{AMEND, CONTENT_PURPOSE, MessageProof, ProofError, TEXT};
use wardline_org::root::{Purpose, SignedRoot};
use wardline_org::signer::sign_tagged;
use wardline_org::trust::{EntriesError, TrustError};
use wardline_org::{Hash, Signer as _};
use wardline_proto::{Message as _, v1};

use crate::hospital::{HEAD_SEED, Hospital, ROOT_SEEDS, first_root, key, person, query, sign_root};
use crate::support::{Device, start};

const AUTHOR: &str = "DR-CA-001";

fn content(device: &Device, number: u8) -> v1::Content {
    v1::Content {
        version: 1,
        organization: "mercy".into(),
        message_id: vec![number; 16],
        conversation_id: vec![3; 16],
        sender_user_id: AUTHOR.into(),
        sender_device: device.id().to_vec(),
        created_at_ms: start().as_millis(),
        type_uri: TEXT.into(),
        body: v1::TextBody {
            text: "K 6.6 mmol/L".into(),
        }
        .encode_to_vec(),
        ..Default::default()
    }
}

fn correction(device: &Device, of: &v1::Content) -> v1::Content {
    v1::Content {
        type_uri: AMEND.into(),
        body: v1::AmendBody {
            text: "K 5.6 mmol/L".into(),
            reason: "typing error".into(),
            ..Default::default()
        }
        .encode_to_vec(),
        subject: Some(v1::MessageReference {
            sender_device: of.sender_device.clone(),
            message_id: of.message_id.clone(),
            content_hash: Vec::new(),
        }),
        ..content(device, 2)
    }
}

fn signed(device: &Device, content: &v1::Content) -> v1::SignedContent {
    let content = content.encode_to_vec();
    let signature = sign_tagged(&device.signer, CONTENT_PURPOSE, &content).to_vec();
    v1::SignedContent { content, signature }
}

/// A doctor with two devices, and a colleague.
struct Scene {
    hospital: Hospital,
    phone: Device,
    tablet: Device,
}

impl Scene {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Person)) -> Self {
        let (phone, tablet) = (Device::new(AUTHOR, 1), Device::new(AUTHOR, 2));
        let mut author = person(AUTHOR, &[&phone, &tablet]);
        change(&mut author);
        let mut hospital = Hospital::new();
        hospital.publish(vec![author, person("NS-CA-001", &[])]);
        Self {
            hospital,
            phone,
            tablet,
        }
    }

    fn head(&self) -> v1::HeadResponse {
        self.hospital.answer(&self.hospital.stranger())
    }

    fn entry(&self) -> v1::EntryAnswer {
        self.hospital.entry(&query(&format!("person/{AUTHOR}")))
    }

    fn proof_of(&self, message: v1::SignedContent) -> MessageProof {
        MessageProof::new(message, Vec::new(), self.head(), self.entry())
    }

    fn proof(&self) -> MessageProof {
        self.proof_of(signed(&self.phone, &content(&self.phone, 1)))
    }

    fn pin(&self) -> Hash {
        self.hospital.root.hash()
    }

    fn refused(&self, proof: &MessageProof) -> ProofError {
        proof.verify(&self.pin()).unwrap_err()
    }
}

#[test]
fn whoever_holds_the_root_document_learns_who_wrote_what_under_which_head() {
    let scene = Scene::new();
    let bytes = scene.proof().encode();
    let proof = MessageProof::parse(&bytes).unwrap();
    let proven = proof.verify(&scene.pin()).unwrap();
    assert_eq!(proven.organization.as_str(), "mercy");
    assert_eq!(proven.author.as_str(), AUTHOR);
    assert_eq!(proven.display_name, format!("Name of {AUTHOR}"));
    assert_eq!(proven.device, scene.phone.id());
    assert_eq!(proven.device_label, "ward phone");
    assert_eq!(proven.written_at, start());
    assert_eq!(proven.text, "K 6.6 mmol/L");
    let head = scene.hospital.directory.head().unwrap();
    assert_eq!(proven.head_version, 1);
    assert_eq!(proven.head_hash, head.hash());
    assert_eq!(proven.root_version, 1);
    assert!(proven.corrections.is_empty());
}

#[test]
fn corrections_are_proven_with_it_also_those_of_another_device() {
    let scene = Scene::new();
    let first = content(&scene.phone, 1);
    let corrected = correction(&scene.tablet, &first);
    let message = signed(&scene.phone, &first);
    let with =
        |corrections| MessageProof::new(message.clone(), corrections, scene.head(), scene.entry());
    let proven = with(vec![signed(&scene.tablet, &corrected)]);
    let proven = proven.verify(&scene.pin()).unwrap();
    assert_eq!(proven.text, "K 6.6 mmol/L");
    let [correction] = &proven.corrections[..] else {
        panic!()
    };
    assert_eq!(correction.text, "K 5.6 mmol/L");
    assert_eq!(correction.reason, "typing error");
    assert_eq!(correction.device, scene.tablet.id());

    let forged = with(vec![signed(&scene.phone, &corrected)]);
    assert_eq!(scene.refused(&forged), ProofError::BadSignature);
    let of_another = v1::Content {
        message_id: vec![9; 16],
        ..first.clone()
    };
    let of_another = super::proofs::correction(&scene.phone, &of_another);
    let other = with(vec![signed(&scene.phone, &of_another)]);
    assert_eq!(scene.refused(&other), ProofError::OtherSubject);
    let no_correction = with(vec![signed(&scene.phone, &content(&scene.phone, 5))]);
    assert_eq!(scene.refused(&no_correction), ProofError::OtherSubject);
}

#[test]
fn an_altered_text_and_a_forged_signature_are_told_apart() {
    let scene = Scene::new();
    let text = b"K 6.6 mmol/L";
    let mut bytes = scene.proof().encode();
    let at = bytes.windows(text.len()).position(|part| part == text);
    bytes[at.unwrap() + 2] = b'9';
    let altered = MessageProof::parse(&bytes).unwrap();
    assert_eq!(scene.refused(&altered), ProofError::Altered);

    // Altered by somebody who knows the format.
    let mut message = signed(&scene.phone, &content(&scene.phone, 1));
    let changed = v1::Content {
        fallback_text: "other".into(),
        ..content(&scene.phone, 1)
    };
    message.content = changed.encode_to_vec();
    let forged = scene.proof_of(message);
    assert_eq!(scene.refused(&forged), ProofError::BadSignature);
    // In the name of the phone, by the tablet.
    let forged = scene.proof_of(signed(&scene.tablet, &content(&scene.phone, 1)));
    assert_eq!(scene.refused(&forged), ProofError::BadSignature);
    // Signed for something else.
    let content = content(&scene.phone, 1).encode_to_vec();
    let signature = sign_tagged(&scene.phone.signer, "receipts", &content).to_vec();
    let forged = scene.proof_of(v1::SignedContent { content, signature });
    assert_eq!(scene.refused(&forged), ProofError::BadSignature);
}

#[test]
fn whoever_is_not_in_the_directory_has_written_nothing() {
    let scene = Scene::new();
    let stranger = Device::new(AUTHOR, 9);
    let forged = scene.proof_of(signed(&stranger, &content(&stranger, 1)));
    assert_eq!(scene.refused(&forged), ProofError::NoSuchDevice);
    let absent = v1::Content {
        sender_user_id: "XX-9".into(),
        ..content(&scene.phone, 1)
    };
    let message = signed(&scene.phone, &absent);
    let nobody = scene.hospital.entry(&query("person/XX-9"));
    let forged = MessageProof::new(message.clone(), Vec::new(), scene.head(), nobody);
    assert_eq!(scene.refused(&forged), ProofError::NoSuchDevice);
    // In a colleague's name, with one's own entry.
    let forged = scene.proof_of(message);
    assert_eq!(
        scene.refused(&forged),
        ProofError::Entry(EntriesError::OtherQuestion)
    );
}

#[test]
fn a_revoked_device_and_somebody_who_has_left_prove_nothing_more() {
    let scene = Scene::with(|author| {
        let device = author.devices[0].id();
        let last = author.device_changes.last();
        let revoked = DeviceChange::next(last, device, ChangeKind::Revoked, start());
        author.device_changes.push(revoked);
        author.devices[0].revoked_at = Some(start());
    });
    let refused = scene.refused(&scene.proof());
    assert_eq!(refused, ProofError::Revoked { at: start() });
    let by_tablet = scene.proof_of(signed(&scene.tablet, &content(&scene.tablet, 1)));
    assert!(by_tablet.verify(&scene.pin()).is_ok());

    // An altered text is named before the revocation: nobody takes it for an old truth.
    let forged = scene.proof_of(signed(&scene.tablet, &content(&scene.phone, 1)));
    assert_eq!(scene.refused(&forged), ProofError::BadSignature);

    let left = Scene::with(|author| {
        for at in 0..author.devices.len() {
            let device = author.devices[at].id();
            let last = author.device_changes.last();
            let revoked = DeviceChange::next(last, device, ChangeKind::Revoked, start());
            author.device_changes.push(revoked);
            author.devices[at].revoked_at = Some(start());
        }
        author.status = PersonStatus::Ended;
    });
    let refused = left.refused(&left.proof());
    assert_eq!(refused, ProofError::Revoked { at: start() });
}

#[test]
fn another_root_document_and_another_head_are_not_believed() {
    let scene = Scene::new();
    let other = Hash::of(b"another root document");
    let refused = scene.proof().verify(&other).unwrap_err();
    assert_eq!(refused, ProofError::WrongRoot);

    // A head that the organization did not sign, over a directory of one's own.
    let mut head = scene.head();
    let forged = wardline_org::head::SignedHead::sign(
        scene.hospital.directory.head().unwrap().head(),
        &key(77),
    );
    head.head = forged.unwrap().to_string();
    let message = signed(&scene.phone, &content(&scene.phone, 1));
    let proof = MessageProof::new(message.clone(), Vec::new(), head, scene.entry());
    let refused = scene.refused(&proof);
    assert!(
        matches!(refused, ProofError::Directory(error) if matches!(*error, TrustError::Head(_)))
    );

    // The entry of an older head.
    let older = scene.entry();
    let Scene {
        mut hospital,
        phone,
        ..
    } = scene;
    hospital.publish(vec![person(AUTHOR, &[])]);
    let head = hospital.answer(&hospital.stranger());
    let proof = MessageProof::new(signed(&phone, &content(&phone, 1)), Vec::new(), head, older);
    let refused = proof.verify(&hospital.root.hash()).unwrap_err();
    assert!(matches!(refused, ProofError::Entry(_)), "{refused}");
}

#[test]
fn the_pinned_root_document_leads_to_later_ones() {
    let mut scene = Scene::new();
    let mut next = first_root();
    next.version = 2;
    let place = next
        .keys
        .iter()
        .position(|(purpose, _)| *purpose == Purpose::Head);
    next.keys[place.unwrap()].1 = key(200).public_key();
    let next: SignedRoot = sign_root(&next, &ROOT_SEEDS[..2]);
    let mut head = scene.head();
    head.roots.push(next.to_string());
    let resigned = |seed: u8| {
        let head = scene.hospital.directory.head().unwrap().head();
        let signed = wardline_org::head::SignedHead::sign(head, &key(seed));
        signed.unwrap().to_string()
    };
    head.head = resigned(200);
    let message = signed(&scene.phone, &content(&scene.phone, 1));
    let proof = MessageProof::new(message.clone(), Vec::new(), head.clone(), scene.entry());
    for root in [scene.pin(), next.hash()] {
        assert_eq!(proof.verify(&root).unwrap().root_version, 2);
    }
    // The replaced key signs nothing more.
    head.head = resigned(HEAD_SEED);
    let proof = MessageProof::new(message, Vec::new(), head, scene.entry());
    assert!(matches!(scene.refused(&proof), ProofError::Directory(_)));
    scene.hospital.refresh();
    assert_eq!(scene.proof().verify(&scene.pin()).unwrap().head_version, 2);
}

#[test]
fn bytes_that_are_no_proof_are_refused() {
    let scene = Scene::new();
    let refused = |bytes: &[u8]| MessageProof::parse(bytes).unwrap_err();
    assert_eq!(refused(b"not a proof"), ProofError::Malformed);
    assert_eq!(refused(b""), ProofError::Version(0));
    let bytes = scene.proof().encode();
    // Cut anywhere, it is never taken for a proof that holds.
    for end in 0..bytes.len() {
        if let Ok(cut) = MessageProof::parse(&bytes[..end]) {
            assert!(cut.verify(&scene.pin()).is_err(), "{end}");
        }
    }
    // And no byte of it can be another one.
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        if let Ok(changed) = MessageProof::parse(&changed)
            && let Ok(proven) = changed.verify(&scene.pin())
        {
            assert_eq!(proven.text, "K 6.6 mmol/L", "{at}");
            assert_eq!(proven.author.as_str(), AUTHOR);
        }
    }
}
