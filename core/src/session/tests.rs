#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rusqlite::{Connection, params};
use wardline_org::{
    Timestamp,
    prekey::{Claim, PrekeyKind, sign_prekey, verify_prekey},
    signer::verify_tagged,
};
use wardline_proto::{Message, v1};

use super::{
    content::{ContentKey, SIGNATURE_PURPOSE, sign},
    identity::{DeviceIdentity, NewPeer},
    open::{Opened, open},
    ratchets::{Ratchets, Sender},
    seal::{Binding, Plain, recipients_hash},
    *,
};
use crate::{
    id::{ConversationId, MessageId},
    store,
};

const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);

/// One device with its own database.
struct Device {
    identity: DeviceIdentity,
    ratchets: Ratchets,
    connection: Connection,
    _folder: tempfile::TempDir,
}

impl Device {
    fn new(user: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = store::tests_support::connection(folder.path());
        let identity = DeviceIdentity::generate("mercy".parse().unwrap(), user.parse().unwrap());
        connection
            .execute(
                "INSERT INTO device (singleton, organization, user_id, device_id, identity, account, listing)
                 VALUES (1, 'mercy', ?1, ?2, ?3, ?3, x'')",
                params![user, identity.device_id.as_bytes(), identity.save().unwrap().as_slice()],
            )
            .unwrap();
        Self {
            identity,
            ratchets: Ratchets::default(),
            connection,
            _folder: folder,
        }
    }

    fn sender(&self) -> Sender {
        let credential = self.identity.credential(String::new(), NOW).unwrap();
        Sender {
            device_id: self.identity.device_id,
            curve25519: credential.credential().curve25519,
        }
    }

    /// A one-time key of this device, claimed and verified by a peer.
    fn new_peer(&mut self, kind: PrekeyKind) -> NewPeer {
        let account = self.ratchets.account_mut(&self.connection).unwrap();
        let key = if kind == PrekeyKind::OneTime {
            account.generate_one_time_keys(1).created[0].to_bytes()
        } else {
            account.generate_fallback_key();
            account
                .fallback_key()
                .into_values()
                .next()
                .unwrap()
                .to_bytes()
        };
        account.mark_keys_as_published();
        let signed = sign_prekey(&self.identity, self.identity.device_id, kind, &key, None);
        let credential = self.identity.credential(String::new(), NOW).unwrap();
        let prekey = verify_prekey(Claim {
            device: self.identity.device_id,
            signing_key: &credential.credential().ed25519,
            kind,
            key: &signed,
        })
        .unwrap();
        NewPeer {
            device_id: self.identity.device_id,
            curve25519: credential.credential().curve25519,
            prekey,
        }
    }

    fn meet(&mut self, peer: NewPeer) {
        for (device, session) in self.identity.start_sessions(vec![peer]) {
            self.ratchets
                .insert(&self.connection, device, session)
                .unwrap();
        }
    }

    fn say(&mut self, to: DeviceId, envelope: u8) -> v1::SealedKey {
        let plain = Plain::control(self.identity.device_id, control(envelope));
        plain
            .seal(&mut self.ratchets, &self.connection, to)
            .unwrap()
            .unwrap()
    }

    fn hear(&mut self, from: Sender, sealed: &v1::SealedKey) -> Result<Opened, OpenFailure> {
        open(
            &mut self.ratchets,
            &self.connection,
            self.identity.device_id,
            from,
            sealed,
            NOW,
        )
        .unwrap()
    }

    /// What closing and opening the app does.
    fn restart(&mut self) {
        self.ratchets.flush(&self.connection).unwrap();
        self.ratchets.forget();
    }
}

use wardline_org::DeviceId;

fn control(envelope: u8) -> v1::Control {
    v1::Control {
        body: Some(v1::control::Body::ResealRequest(v1::ResealRequest {
            envelope_ids: vec![vec![envelope]],
        })),
        ..Default::default()
    }
}

fn heard(opened: Result<Opened, OpenFailure>) -> Result<u8, OpenFailure> {
    match opened? {
        Opened::Control(v1::Control {
            body: Some(v1::control::Body::ResealRequest(request)),
            ..
        }) => Ok(request.envelope_ids[0][0]),
        _ => panic!("something else was said"),
    }
}

fn pair() -> (Device, Device) {
    let mut nurse = Device::new("NS-1");
    let mut doctor = Device::new("DR-1");
    nurse.meet(doctor.new_peer(PrekeyKind::OneTime));
    (nurse, doctor)
}

#[test]
fn two_devices_talk_both_ways_and_across_restarts() {
    let (mut nurse, mut doctor) = pair();
    let (n, d) = (nurse.sender(), doctor.sender());
    for round in 0..5 {
        let sealed = nurse.say(d.device_id, round);
        assert_eq!(heard(doctor.hear(n, &sealed)), Ok(round));
        let answer = doctor.say(n.device_id, round + 100);
        nurse.restart();
        doctor.restart();
        assert_eq!(heard(nurse.hear(d, &answer)), Ok(round + 100));
    }
}

#[test]
fn messages_out_of_order_open() {
    let (mut nurse, mut doctor) = pair();
    let (n, d) = (nurse.sender(), doctor.sender());
    let sealed: Vec<_> = (0..20)
        .map(|number| nurse.say(d.device_id, number))
        .collect();
    for (number, sealed) in sealed.iter().enumerate().rev() {
        assert_eq!(
            heard(doctor.hear(n, sealed)),
            Ok(u8::try_from(number).unwrap())
        );
    }
}

#[test]
fn sessions_started_by_both_at_once_work_both_ways() {
    let (mut nurse, mut doctor) = pair();
    doctor.meet(nurse.new_peer(PrekeyKind::OneTime));
    let (n, d) = (nurse.sender(), doctor.sender());
    let from_nurse = nurse.say(d.device_id, 1);
    let from_doctor = doctor.say(n.device_id, 2);
    assert_eq!(heard(doctor.hear(n, &from_nurse)), Ok(1));
    assert_eq!(heard(nurse.hear(d, &from_doctor)), Ok(2));
    for round in 0..4 {
        let sealed = nurse.say(d.device_id, round);
        assert_eq!(heard(doctor.hear(n, &sealed)), Ok(round));
        let answer = doctor.say(n.device_id, round);
        assert_eq!(heard(nurse.hear(d, &answer)), Ok(round));
    }
}

#[test]
fn a_replayed_message_is_refused() {
    let (mut nurse, mut doctor) = pair();
    let (n, d) = (nurse.sender(), doctor.sender());
    let first = nurse.say(d.device_id, 1);
    assert!(doctor.hear(n, &first).is_ok());
    assert_eq!(
        doctor.hear(n, &first).err(),
        Some(OpenFailure::Undecryptable)
    );
    let second = nurse.say(d.device_id, 2);
    assert!(doctor.hear(n, &second).is_ok());
    assert!(doctor.hear(n, &second).is_err());
}

#[test]
fn a_replayed_start_on_the_fallback_key_is_refused_even_without_its_session() {
    let mut nurse = Device::new("NS-1");
    let mut doctor = Device::new("DR-1");
    nurse.meet(doctor.new_peer(PrekeyKind::Fallback));
    let (n, d) = (nurse.sender(), doctor.sender());
    let first = nurse.say(d.device_id, 1);
    assert!(doctor.hear(n, &first).is_ok());
    doctor.restart();
    doctor
        .connection
        .execute("DELETE FROM session", [])
        .unwrap();
    assert_eq!(doctor.hear(n, &first).err(), Some(OpenFailure::Replayed));
}

#[test]
fn a_message_for_another_device_does_not_open_when_handed_on() {
    let (mut nurse, mut doctor) = pair();
    let mut other = Device::new("DR-2");
    let n = nurse.sender();
    let sealed = nurse.say(doctor.identity.device_id, 1);
    assert!(other.hear(n, &sealed).is_err());
    // The doctor hands on, in a session of its own, what the nurse had sealed for the doctor.
    doctor.meet(other.new_peer(PrekeyKind::OneTime));
    let inner = v1::Sealed {
        version: 1,
        sender_device: n.device_id.to_vec(),
        recipient_device: other.identity.device_id.to_vec(),
        payload: Some(v1::sealed::Payload::Control(control(1))),
    };
    let plaintext = padding::pad(inner.encode_to_vec(), padding::SEALED_FLOOR);
    let (olm_type, ciphertext) = doctor
        .ratchets
        .encrypt(&doctor.connection, other.identity.device_id, &plaintext)
        .unwrap()
        .unwrap();
    let forged = v1::SealedKey {
        suite: v1::Suite::OlmV2.into(),
        olm_type,
        ciphertext: ciphertext.into(),
        ..Default::default()
    };
    let d = doctor.sender();
    assert_eq!(
        other.hear(d, &forged).err(),
        Some(OpenFailure::BindingBroken)
    );
    let mine = Sender {
        device_id: n.device_id,
        curve25519: d.curve25519,
    };
    assert!(
        other.hear(mine, &forged).is_err(),
        "a claimed sender is not a proven one"
    );
}

#[test]
fn a_start_by_another_identity_than_the_directory_proves_is_refused() {
    let (mut nurse, mut doctor) = pair();
    let d = doctor.sender();
    let sealed = nurse.say(d.device_id, 1);
    let claimed = Sender {
        device_id: nurse.identity.device_id,
        curve25519: d.curve25519,
    };
    assert_eq!(
        doctor.hear(claimed, &sealed).err(),
        Some(OpenFailure::WrongIdentity)
    );
}

#[test]
fn an_unknown_suite_or_a_kem_is_refused_by_name() {
    let (mut nurse, mut doctor) = pair();
    let n = nurse.sender();
    let sealed = nurse.say(doctor.identity.device_id, 1);
    let unknown = v1::SealedKey {
        suite: 7,
        ..sealed.clone()
    };
    assert_eq!(
        doctor.hear(n, &unknown).err(),
        Some(OpenFailure::UnknownSuite)
    );
    let hybrid = v1::SealedKey {
        kem: vec![1],
        ..sealed
    };
    assert_eq!(
        doctor.hear(n, &hybrid).err(),
        Some(OpenFailure::UnknownSuite)
    );
}

#[test]
fn a_rolled_back_job_leaves_the_ratchet_as_on_disk() {
    let (mut nurse, mut doctor) = pair();
    let (n, d) = (nurse.sender(), doctor.sender());
    nurse.ratchets.flush(&nurse.connection).unwrap();
    nurse.connection.execute_batch("SAVEPOINT job").unwrap();
    let lost = nurse.say(d.device_id, 1);
    nurse.ratchets.flush(&nurse.connection).unwrap();
    nurse
        .connection
        .execute_batch("ROLLBACK TO job; RELEASE job")
        .unwrap();
    nurse.ratchets.job_failed();
    let kept = nurse.say(d.device_id, 2);
    assert_ne!(lost.ciphertext, kept.ciphertext);
    assert_eq!(heard(doctor.hear(n, &kept)), Ok(2));
}

#[test]
fn every_moved_ratchet_counts() {
    let (mut nurse, doctor) = pair();
    nurse.ratchets.flush(&nurse.connection).unwrap();
    let before = ratchets::counter(&nurse.connection).unwrap();
    nurse.say(doctor.identity.device_id, 1);
    nurse.ratchets.flush(&nurse.connection).unwrap();
    assert_eq!(ratchets::counter(&nurse.connection).unwrap(), before + 1);
    nurse.ratchets.flush(&nurse.connection).unwrap();
    assert_eq!(ratchets::counter(&nurse.connection).unwrap(), before + 1);
}

#[test]
fn retired_keys_open_nothing_but_the_identity_stays() {
    let (mut nurse, mut doctor) = pair();
    let (n, d) = (nurse.sender(), doctor.sender());
    let sealed = nurse.say(d.device_id, 1);
    doctor.ratchets.retire(&doctor.connection).unwrap();
    doctor.restart();
    assert_eq!(
        doctor.hear(n, &sealed).err(),
        Some(OpenFailure::Undecryptable)
    );
    nurse.meet(doctor.new_peer(PrekeyKind::OneTime));
    let healed = nurse.say(d.device_id, 2);
    assert_eq!(heard(doctor.hear(n, &healed)), Ok(2));
}

#[test]
fn secrets_do_not_show_in_debug() {
    let (nurse, _) = pair();
    let key = ContentKey::generate().unwrap();
    let shown = format!("{key:?} {:?} {:?}", nurse.ratchets, nurse.identity);
    assert!(shown.contains("ContentKey { .. }"));
    assert!(!shown.contains(&hex::encode(key.as_bytes())));
}

/// Seals a content from the nurse for the doctor, with a chance to change it on the way.
fn content(
    change_content: impl FnOnce(&mut v1::Content),
    change_binding: impl FnOnce(&mut Binding),
    change_ciphertext: impl FnOnce(&mut Vec<u8>),
) -> Result<open::OpenedContent, OpenFailure> {
    let (mut nurse, mut doctor) = pair();
    let (n, us) = (nurse.sender(), doctor.identity.device_id);
    let recipients = vec![us];
    let mut binding = Binding {
        conversation_id: ConversationId::direct(
            &"mercy".parse().unwrap(),
            &"NS-1".parse().unwrap(),
            &"DR-1".parse().unwrap(),
        ),
        message_id: MessageId::generate(NOW),
        head_version: 3,
        head_hash: wardline_org::Hash::of(b"head"),
        recipients_hash: recipients_hash(&recipients),
    };
    let mut content = v1::Content {
        version: 1,
        message_id: binding.message_id.as_bytes().to_vec(),
        conversation_id: binding.conversation_id.as_bytes().to_vec(),
        sender_device: n.device_id.to_vec(),
        head_version: 3,
        head_hash: binding.head_hash.as_bytes().to_vec(),
        recipient_devices: vec![us.to_vec()],
        fallback_text: "K 6.6 mmol/L".into(),
        ..Default::default()
    };
    change_content(&mut content);
    change_binding(&mut binding);
    let signed = sign(&nurse.identity, &content);
    let mut sealed = ContentKey::generate().unwrap().seal(&signed).unwrap();
    let plain = Plain::content_key(n.device_id, &sealed, &binding);
    let key = plain
        .seal(&mut nurse.ratchets, &nurse.connection, us)
        .unwrap()
        .unwrap();
    change_ciphertext(&mut sealed.ciphertext);
    let Opened::Key(opened) = doctor.hear(n, &key)? else {
        panic!("not a key")
    };
    let opened = opened.content(&sealed.ciphertext, us)?;
    let key = wardline_org::Signer::public_key(&nurse.identity);
    verify_tagged(
        &key,
        SIGNATURE_PURPOSE,
        &opened.signed.content,
        &opened.signed.signature,
    )
    .map_err(|_| OpenFailure::BadSignature)?;
    Ok(opened)
}

#[test]
fn a_content_opens_with_its_text_and_a_verifiable_author() {
    let opened = content(|_| {}, |_| {}, |_| {}).unwrap();
    assert_eq!(opened.content.fallback_text, "K 6.6 mmol/L");
}

#[test]
fn a_content_that_contradicts_its_binding_is_refused() {
    let broken = Some(OpenFailure::BindingBroken);
    let nothing = |_: &mut Vec<u8>| {};
    let other = || MessageId::generate(Timestamp::from_millis(NOW.as_millis() + 1));
    assert_eq!(
        content(|_| {}, |b| b.message_id = other(), nothing).err(),
        broken
    );
    assert_eq!(
        content(|c| c.conversation_id = vec![1; 16], |_| {}, nothing).err(),
        broken
    );
    assert_eq!(
        content(|c| c.sender_device = vec![1; 16], |_| {}, nothing).err(),
        broken
    );
    assert_eq!(
        content(|c| c.head_version = 4, |_| {}, nothing).err(),
        broken
    );
    assert_eq!(
        content(|c| c.head_hash = vec![1; 32], |_| {}, nothing).err(),
        broken
    );
    assert_eq!(
        content(|c| c.recipient_devices.push(vec![255; 16]), |_| {}, nothing).err(),
        broken
    );
}

#[test]
fn an_altered_content_is_refused() {
    let altered = Some(OpenFailure::ContentAltered);
    assert_eq!(
        content(|_| {}, |_| {}, |bytes| bytes[9] ^= 1).err(),
        altered
    );
    assert_eq!(
        content(|_| {}, |_| {}, |bytes| bytes.truncate(400)).err(),
        altered
    );
    assert_eq!(content(|_| {}, |_| {}, Vec::clear).err(), altered);
}
