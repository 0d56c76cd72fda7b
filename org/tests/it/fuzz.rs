//! Bodies of the fuzz targets of this crate: everything that reads what the other side of the wire
//! chose. They stand here, beside the hospital whose keys are at hand, so that `cargo test` replays
//! the corpora in `fuzz/corpus` with the same code that the fuzzer runs.
//!
//! A body takes any bytes, comes back, and panics when something holds that nobody signed.

use std::sync::OnceLock;

use wardline_org::{
    Hash, SignedCredential, Timestamp,
    call::{IncomingCall, Window},
    connect::Refusal,
    entry::Entry,
    head::SignedHead,
    note::Note,
    policy::SignedPolicy,
    prekey::{Claim, PrekeyKind, verify_prekeys},
    root::SignedRoot,
    transport::{Request, Response},
    trust::{Standing, Trust},
    wipe::SignedWipeOrder,
};
use wardline_proto::{Message, v1};

use crate::{
    hospital::{Hospital, org, person, query},
    support::{Device, start},
};

/// A relay's answer that is not a success, or that of a proxy before it: a status and a body.
pub(crate) fn refusal(data: &[u8]) {
    let Some((status, body)) = data.split_first_chunk() else {
        return;
    };
    let response = Response {
        status: u16::from_be_bytes(*status),
        body: body.to_vec().into(),
    };
    let refusal = Refusal::from_response(&response);
    assert!(refusal.code.as_str().len() <= 64, "a foreign text got in");
    let again = Refusal::from_response(&refusal.to_response());
    assert_eq!(again.code, refusal.code, "a refusal changes on its way");
}

/// A request as it arrives at the relay: path, headers and body, with a zero byte between them.
pub(crate) fn incoming_call(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let mut text = || String::from_utf8(parts.next()?.to_vec()).ok();
    let (Some(path), Some(headers)) = (text(), text()) else {
        return;
    };
    let request = Request {
        path,
        headers: headers
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: parts.next().unwrap_or_default().to_vec().into(),
    };
    let Ok(call) = IncomingCall::parse(&request) else {
        return;
    };
    // Only the worked request of the book is signed by this key.
    let relay = "relay.mercy.example".parse().unwrap();
    let now = Timestamp::from_millis(1_795_000_000_000);
    let verified = call.verify(
        &crate::worked_request::public_key(),
        &relay,
        Window::default(),
        now,
    );
    assert!(
        verified.is_err() || request.path == "/wardline.v1.Relay/Head" && *request.body == [8, 41],
        "a signature holds for a call that nobody signed"
    );
}

/// A signed note of any kind.
pub(crate) fn note(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(note) = text.parse::<Note>() {
        assert!(note.to_string() == text, "one note, two spellings");
        let keys = world()
            .root
            .root()
            .note_keys(wardline_org::root::Purpose::Head);
        let signed = note.verify(&keys, 1).is_ok();
        assert!(
            !signed || world().heads.contains(&note.hash()),
            "an unsigned note holds"
        );
    }
    if let Ok(root) = text.parse::<SignedRoot>() {
        let replaces = world().root.accepts(&root).is_ok();
        assert!(!replaces, "a root document that nobody signed");
    }
    if let Ok(head) = text.parse::<SignedHead>() {
        let believed = head.verify(world().root.root()).is_ok();
        assert!(!believed || world().heads.contains(&head.hash()));
    }
    if let Ok(policy) = text.parse::<SignedPolicy>() {
        let believed = policy.verify(world().root.root()).is_ok();
        assert!(!believed || policy.hash() == world().policy.hash());
    }
    if let Ok(order) = text.parse::<SignedWipeOrder>() {
        assert!(order.to_string() == text, "one order, two spellings");
        let believed = order.verify(world().root.root()).is_ok();
        assert!(!believed, "a wipe order that nobody signed");
    }
}

/// A relay's answer to `Head`, for a stranger and for somebody who holds the second head.
pub(crate) fn head_answer(data: &[u8]) {
    let Ok(answer) = v1::HeadResponse::decode(data) else {
        return;
    };
    for known in [&world().stranger, &world().early] {
        let mut trust = known.clone();
        if trust.accept(&answer).is_err() {
            assert_eq!(&trust, known, "a refused answer was half accepted");
            continue;
        }
        let head = trust.head().unwrap();
        assert!(
            world().heads.contains(&head.hash()),
            "a head that nobody signed"
        );
        let before = known.head().map_or(0, |head| head.head().version);
        assert!(head.head().version >= before, "the directory went back");
    }
}

/// A relay's answer to `Entries`, for somebody who holds the newest head.
pub(crate) fn entries_answer(data: &[u8]) {
    let Ok(answer) = v1::EntriesResponse::decode(data) else {
        return;
    };
    let World {
        friend, queries, ..
    } = world();
    // Fewer answers than questions are refused as a whole: ask for as many as were answered.
    let asked = queries.iter().cycle().take(answer.answers.len().min(64));
    let asked: Vec<_> = asked.cloned().collect();
    let Ok(standings) = friend.verify_entries(&asked, &answer) else {
        return;
    };
    for (query, standing) in asked.iter().zip(standings) {
        let truth = world().entry(&query.key);
        match standing {
            Standing::Present(entry) => assert_eq!(Some(entry.hash()), truth),
            Standing::Unchanged => assert_eq!(
                Some(query.known_hash.as_slice()),
                truth.as_ref().map(Hash::as_ref)
            ),
            Standing::Absent => assert_eq!(truth, None, "somebody was hidden"),
        }
    }
}

/// One encoded entry, as an authority publishes it and as it stands under a proof.
pub(crate) fn entry(data: &[u8]) {
    let Ok(entry) = Entry::parse(&org(), data) else {
        return;
    };
    let version = entry.changed_at_version();
    let again = Entry::new(&org(), version, entry.body().clone()).unwrap();
    assert_eq!(again.key(), entry.key());
    assert!(
        again.body() == entry.body(),
        "an entry changes when it is written again"
    );
}

/// A credential and its signature, as a device that enrolls hands them in.
pub(crate) fn credential(data: &[u8]) {
    let Ok(request) = v1::EnrollRequest::decode(data) else {
        return;
    };
    if let Ok(credential) = SignedCredential::verify(&request.credential, &request.signature) {
        assert_eq!(credential.bytes(), request.credential);
        assert_eq!(credential.device_id(), credential.credential().device_id());
    }
}

/// A ticket: as it came, or claims that the organization really signed.
#[cfg(feature = "authority")]
pub(crate) fn ticket(data: &[u8]) {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
    use wardline_org::{Signer, root::Purpose, ticket::Ticket};

    let Some((&form, rest)) = data.split_first() else {
        return;
    };
    let root = world().root.root();
    if form != b'{' {
        let raw = Ticket::verify(&String::from_utf8_lossy(data), root, start());
        assert!(raw.is_err(), "a ticket that nobody signed");
        return;
    }
    let header = r#"{"alg":"EdDSA","typ":"JWT"}"#;
    let signed = format!(
        "{}.{}",
        BASE64.encode(header),
        BASE64.encode([b"{", rest].concat())
    );
    let key = Purpose::ALL.iter().position(|p| *p == Purpose::Ticket);
    let signer = crate::hospital::key(crate::hospital::HEAD_SEED + key.unwrap() as u8);
    let jwt = format!("{signed}.{}", BASE64.encode(signer.sign(signed.as_bytes())));
    if let Ok(ticket) = Ticket::verify(&jwt, root, start()) {
        assert!(ticket.expires_at > start(), "an expired ticket is taken");
        let validity = wardline_org::ticket::MAX_VALIDITY;
        assert!(
            ticket.expires_at <= ticket.issued_at + validity,
            "a ticket for ever"
        );
    }
}

/// A relay's answer to `ClaimKeys` for two devices.
pub(crate) fn claimed_keys(data: &[u8]) {
    let Ok(answer) = v1::ClaimKeysResponse::decode(data) else {
        return;
    };
    let World {
        devices, prekey, ..
    } = world();
    let signing_keys = devices
        .each_ref()
        .map(|device| device.credential.credential().ed25519);
    let keys = answer
        .keys
        .iter()
        .filter_map(|claimed| claimed.key.as_ref());
    let claims: Vec<_> = keys
        .take(64)
        .zip(devices.iter().zip(&signing_keys).cycle())
        .map(|(key, (device, signing_key))| Claim {
            device: device.id(),
            signing_key,
            kind: PrekeyKind::OneTime,
            key,
        })
        .collect();
    for verified in verify_prekeys(&claims).into_iter().flatten() {
        assert_eq!(verified.key, *prekey, "a key that its device did not sign");
        assert_eq!(verified.device, devices[0].id());
    }
}

/// What is true, and what several people know of it.
struct World {
    root: SignedRoot,
    policy: SignedPolicy,
    heads: Vec<Hash>,
    hospital: Hospital,
    stranger: Trust,
    early: Trust,
    friend: Trust,
    queries: Vec<v1::EntryQuery>,
    devices: [Device; 2],
    /// The first device's one-time key.
    prekey: [u8; 32],
}

impl World {
    fn new() -> Self {
        let devices = [Device::new("DR-CA-001", 1), Device::new("NS-IM-002", 2)];
        let mut hospital = Hospital::new();
        hospital.publish(vec![
            person("DR-CA-001", &[&devices[0]]),
            person("NS-IM-002", &[&devices[1]]),
            person("PH-AA-003", &[]),
        ]);
        hospital.refresh();
        let early = hospital.friend();
        hospital.refresh();
        hospital.publish(vec![person("LT-ZZ-004", &[])]);
        let queries = [
            "person/DR-CA-001",
            "person/PH-AA-003",
            "person/NO-NO-000",
            "team/none",
        ];
        let mut queries: Vec<_> = queries.into_iter().map(query).collect();
        queries[1].known_hash = hash_of(&hospital, "person/PH-AA-003")
            .unwrap()
            .as_ref()
            .to_vec();
        Self {
            root: hospital.root.clone(),
            policy: hospital.policy.clone(),
            heads: hospital.heads.clone(),
            stranger: hospital.stranger(),
            friend: hospital.friend(),
            early,
            hospital,
            queries,
            devices,
            prekey: x25519_dalek::x25519([77; 32], x25519_dalek::X25519_BASEPOINT_BYTES),
        }
    }

    fn entry(&self, key: &str) -> Option<Hash> {
        hash_of(&self.hospital, key)
    }
}

fn hash_of(hospital: &Hospital, key: &str) -> Option<Hash> {
    let bytes = hospital.stored.get(&key.parse().unwrap())?;
    Some(Entry::hash_of(bytes))
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(World::new)
}

#[cfg(test)]
mod tests {
    use wardline_org::{
        entry::EntryBody,
        team::{Assignment, CareTeam, RoleLine, TeamMember},
    };

    use super::*;

    include!("../../../fuzz/replay.rs");

    #[test]
    fn corpora_replay() {
        replay("refusal", refusal);
        replay("incoming_call", incoming_call);
        replay("note", note);
        replay("head_answer", head_answer);
        replay("entries_answer", entries_answer);
        replay("entry", entry);
        replay("credential", credential);
        replay("claimed_keys", claimed_keys);
        #[cfg(feature = "authority")]
        replay("ticket", ticket);
    }

    /// The fuzzer starts from what the hospital really says. When a form changes on purpose, run this
    /// once with `WARDLINE_WRITE_CORPUS=1`, and keep the old inputs under other names.
    #[test]
    fn good_answers_are_in_the_corpora() {
        let world = world();
        let save = |target: &str, name: &str, bytes: &[u8]| {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../fuzz/corpus")
                .join(target);
            if std::env::var_os("WARDLINE_WRITE_CORPUS").is_some() {
                std::fs::create_dir_all(&path).unwrap();
                std::fs::write(path.join(name), bytes).unwrap();
            }
            assert!(
                std::fs::read(path.join(name)).unwrap() == bytes,
                "{target}/{name}"
            );
        };
        let hospital = &world.hospital;
        for known in [&world.stranger, &world.early, &world.friend] {
            let answer = hospital.answer(known);
            assert!(known.clone().accept(&answer).is_ok());
            let version = known.head().map_or(0, |head| head.head().version);
            save(
                "head_answer",
                &format!("from-{version}"),
                &answer.encode_to_vec(),
            );
        }
        save(
            "note",
            "head",
            hospital.directory.head().unwrap().to_string().as_bytes(),
        );
        save("note", "root", world.root.to_string().as_bytes());
        save("note", "policy", world.policy.to_string().as_bytes());
        let answer = v1::EntriesResponse {
            head_version: hospital.directory.version(),
            answers: world
                .queries
                .iter()
                .map(|query| hospital.entry(query))
                .collect(),
        };
        let standings = world
            .friend
            .verify_entries(&world.queries, &answer)
            .unwrap();
        assert!(matches!(
            standings[..],
            [
                Standing::Present(_),
                Standing::Unchanged,
                Standing::Absent,
                Standing::Absent
            ]
        ));
        save("entries_answer", "all", &answer.encode_to_vec());
        for (index, answers) in answer.answers.iter().enumerate() {
            let one = v1::EntriesResponse {
                answers: vec![answers.clone()],
                ..answer
            };
            save(
                "entries_answer",
                &format!("only-{index}"),
                &one.encode_to_vec(),
            );
        }
        for (key, bytes) in &hospital.stored {
            save("entry", &key.to_string().replace('/', "-"), bytes);
        }
        for body in [team(), role_line()] {
            let entry = Entry::new(&org(), 1, body).unwrap();
            save(
                "entry",
                &entry.key().to_string().replace('/', "-"),
                entry.bytes(),
            );
        }
        let credential = &world.devices[0].credential;
        let request = v1::EnrollRequest {
            ticket: "e30.e30.e30".to_owned(),
            credential: credential.bytes().to_vec(),
            signature: credential.signature().to_vec(),
        };
        save("credential", "good", &request.encode_to_vec());
        let signer = &world.devices[0].signer;
        let id = world.devices[0].id();
        let key =
            wardline_org::prekey::sign_prekey(signer, id, PrekeyKind::OneTime, &world.prekey, None);
        let claimed = v1::ClaimedKey {
            device_id: id.as_bytes().to_vec(),
            key: Some(key),
            fallback: false,
        };
        let answer = v1::ClaimKeysResponse {
            keys: vec![claimed.clone(), claimed],
            hold_keys: Vec::new(),
        };
        save(
            "claimed_keys",
            "first-and-forwarded",
            &answer.encode_to_vec(),
        );
    }

    fn team() -> EntryBody {
        EntryBody::CareTeam(CareTeam {
            team: "careteam-7".parse().unwrap(),
            display_name: "Ward 3 west".into(),
            fhir_references: vec!["CareTeam/careteam-7".into()],
            members: vec![TeamMember {
                user: "DR-CA-001".parse().unwrap(),
                role: "attending".into(),
            }],
            active: true,
        })
    }

    fn role_line() -> EntryBody {
        EntryBody::RoleLine(RoleLine {
            role: "cardiology-on-call".parse().unwrap(),
            display_name: "Cardiology on call".into(),
            assignments: vec![Assignment {
                user: "DR-CA-001".parse().unwrap(),
                from: start(),
                until: start() + std::time::Duration::from_secs(12 * 3600),
            }],
            custodian: Some("NS-IM-002".parse().unwrap()),
        })
    }
}
