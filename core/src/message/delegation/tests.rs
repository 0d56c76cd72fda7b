//! What a colleague with a changed client may write into a content, and what is believed of it.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::time::Duration;

use wardline_org::{
    Credential, DeviceId, Hash, OrgId, SignedCredential, Signer, SoftwareSigner,
    availability::{Availability, Away, Statement},
    entry::{Entry, EntryBody},
    person::{ChangeKind, DeviceChange, Person},
    trust::Trust,
};

use super::*;
use crate::{directory::save_trust, store::tests_support};

/// A device whose person the directory lists with it.
struct Phone {
    signer: SoftwareSigner,
    credential: SignedCredential,
}

impl Phone {
    fn new(user: &str) -> Self {
        let signer = SoftwareSigner::generate().unwrap();
        let credential = Credential {
            org: org(),
            user: user.parse().unwrap(),
            ed25519: signer.public_key(),
            curve25519: x25519(),
            capabilities: Vec::new(),
            label: String::new(),
            created_at: NOW,
        };
        let credential = SignedCredential::create(&signer, credential).unwrap();
        Self { signer, credential }
    }

    fn id(&self) -> DeviceId {
        self.credential.device_id()
    }

    /// What this device signs of a person.
    fn says(&self, user: &str, delegate: &str) -> v1::SignedAvailability {
        let away = Away {
            until: NOW + HOUR,
            delegate: Some(delegate.parse().unwrap()),
        };
        let statement = Statement {
            org: org(),
            user: user.parse().unwrap(),
            device: self.id(),
            set_at: NOW,
            availability: Availability {
                do_not_disturb_until: None,
                away: Some(away),
            },
        };
        let signed = SignedAvailability::sign(&statement, &self.signer);
        signed.unwrap().to_message()
    }
}

struct Scene {
    connection: Connection,
    doctor: Phone,
    colleague: Phone,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// On a device of `us`; the doctor's device was revoked at that time.
    fn new(us: &str, revoked_at: Option<Timestamp>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = tests_support::connection(folder.path());
        save_trust(&connection, &Trust::new(org(), Hash::of(b"root"))).unwrap();
        let sql = "INSERT INTO device (singleton, organization, user_id, device_id, identity, account, listing)
                   VALUES (1, 'mercy', ?1, X'00', X'', X'', X'')";
        connection.execute(sql, [us]).unwrap();
        let scene = Self {
            connection,
            doctor: Phone::new("DR-1"),
            colleague: Phone::new("DR-2"),
            _folder: folder,
        };
        scene.list("DR-1", &scene.doctor, revoked_at);
        scene.list("DR-2", &scene.colleague, None);
        scene
    }

    fn list(&self, user: &str, phone: &Phone, revoked_at: Option<Timestamp>) {
        let mut person = Person::new(user.parse().unwrap(), "Somebody");
        let added = DeviceChange::next(None, phone.id(), ChangeKind::Added, NOW);
        person.device_changes.push(added);
        if let Some(at) = revoked_at {
            let last = person.device_changes.last();
            let revoked = DeviceChange::next(last, phone.id(), ChangeKind::Revoked, at);
            person.device_changes.push(revoked);
        }
        person.devices.push(Device {
            credential: phone.credential.clone(),
            enrolled_at: NOW,
            revoked_at,
            vouches: Vec::new(),
        });
        let entry = Entry::new(&org(), 1, EntryBody::Person(person)).unwrap();
        let sql = "INSERT INTO entry (key, bytes, head_version) VALUES (?1, ?2, 1)";
        let key = format!("person/{user}");
        let done = self.connection.execute(sql, params![key, entry.bytes()]);
        done.unwrap();
    }

    /// What is believed of a content that a nurse wrote after a time, with this claim.
    fn believed(
        &self,
        claim: v1::SignedAvailability,
        after: Duration,
        recipients: &[&Phone],
    ) -> (usize, Option<String>) {
        let content = v1::Content {
            sender_user_id: "NS-1".into(),
            created_at_ms: (NOW + after).as_millis(),
            recipient_devices: recipients.iter().map(|phone| phone.id().to_vec()).collect(),
            delegations: Some(v1::Delegations {
                statements: vec![claim],
            }),
            ..Default::default()
        };
        let (forwarded, own) = read(&self.connection, &content).unwrap();
        (forwarded.len(), own.map(|user| user.to_string()))
    }
}

#[test]
fn the_word_of_the_person_counts_and_names_for_whom_one_stands_in() {
    for (us, own) in [("DR-2", Some("DR-1")), ("DR-1", None), ("NS-1", None)] {
        let scene = Scene::new(us, None);
        let both = [&scene.doctor, &scene.colleague];
        let claim = scene.doctor.says("DR-1", "DR-2");
        let believed = scene.believed(claim, MINUTE, &both);
        assert_eq!(believed, (1, own.map(str::to_owned)));
    }
}

#[test]
fn what_a_colleague_signs_of_somebody_else_forwards_nothing() {
    let scene = Scene::new("DR-2", None);
    let both = [&scene.doctor, &scene.colleague];
    // With the own device; with the doctor's name on it and the own key; with the doctor's words and another delegate.
    let own = scene.colleague.says("DR-1", "DR-2");
    let mut forged = scene.doctor.says("DR-1", "DR-2");
    forged.signature = own.signature.clone();
    let mut turned = scene.doctor.says("DR-1", "DR-3");
    turned.availability = scene.doctor.says("DR-1", "DR-2").availability;
    for claim in [own, forged, turned, v1::SignedAvailability::default()] {
        assert_eq!(scene.believed(claim, MINUTE, &both), (0, None));
    }
}

#[test]
fn nothing_is_forwarded_past_the_person_after_their_time_or_by_a_revoked_device() {
    let scene = Scene::new("DR-2", None);
    let claim = scene.doctor.says("DR-1", "DR-2");
    let past = scene.believed(claim.clone(), MINUTE, &[&scene.colleague]);
    assert_eq!(past, (0, None));
    let both = [&scene.doctor, &scene.colleague];
    assert_eq!(scene.believed(claim, HOUR, &both), (0, None));
    // A stolen phone: what was forwarded by its word before stays visible, and nothing follows.
    let scene = Scene::new("DR-2", Some(NOW + 2 * MINUTE));
    let both = [&scene.doctor, &scene.colleague];
    let claim = scene.doctor.says("DR-1", "DR-2");
    assert_eq!(scene.believed(claim.clone(), MINUTE, &both).0, 1);
    assert_eq!(scene.believed(claim, 3 * MINUTE, &both).0, 0);
}

fn org() -> OrgId {
    "mercy".parse().unwrap()
}

fn x25519() -> [u8; 32] {
    // The base point: sound, and nobody agrees on anything with it here.
    let mut key = [0; 32];
    key[0] = 9;
    key
}

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
