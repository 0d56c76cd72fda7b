//! Bodies of the fuzz targets of this crate: what reads the inside of an envelope. It was written by
//! whoever holds a listed device, so it may be anything, signed and sealed as it should be.
//!
//! A body takes any bytes, comes back, and panics when the store then says what nobody signed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the fuzzer is told by a panic"
)]

use std::cell::RefCell;

use rusqlite::{Connection, params};
use tokio::sync::broadcast;
use wardline_org::{DeviceId, Hash, Signer, Timestamp, signer::sign_tagged, trust::Trust};
use wardline_proto::{Message, v1};

use crate::{
    audit,
    conversation::Recipient,
    directory::{self, ProvenSender},
    engine::{
        Context, Memory, Step,
        inbox::{self, Inside},
    },
    message::{clocks::Clocks, list},
    session::{
        content::{ContentKey, SIGNATURE_PURPOSE},
        identity::DeviceIdentity,
        open::{Opened, OpenedContent, read},
        padding::{SEALED_FLOOR, pad},
        seal::recipients_hash,
    },
    store,
    vault::{BodySealer, ReadingPublicKey},
};

/// The plaintext of an Olm message.
pub fn sealed_plaintext(data: &[u8]) {
    match read(data, US, NURSE) {
        Ok(Opened::Control(control)) => deliver(Inside::Control(control)),
        Ok(Opened::Key(key)) => {
            let opened = key.content(&[], US);
            assert!(opened.is_err(), "a content that nobody sealed");
        }
        Err(_) => {}
    }
}

/// An encoded content, signed and sealed as its author's device does it.
pub fn content(data: &[u8]) {
    if let Some(opened) = sealed_and_opened(data) {
        deliver(Inside::Content(Box::new(opened)));
    }
}

/// Goes through the sealing that an honest device would do; what it is bound to is what it says.
fn sealed_and_opened(data: &[u8]) -> Option<OpenedContent> {
    let said = v1::Content::decode(data).ok()?;
    let signature =
        WORLD.with(|world| sign_tagged(&world.borrow().nurse, SIGNATURE_PURPOSE, data).to_vec());
    let signed = v1::SignedContent {
        content: data.to_vec(),
        signature,
    };
    let sealed = ContentKey::from_slice(&[7; 32])?.seal(&signed)?;
    let recipients: Vec<DeviceId> = said
        .recipient_devices
        .iter()
        .filter_map(|device| DeviceId::from_slice(device).ok())
        .collect();
    let key = v1::ContentKey {
        key: sealed.key.as_bytes().to_vec(),
        content_hash: sealed.hash.as_bytes().to_vec(),
        conversation_id: said.conversation_id,
        message_id: said.message_id,
        head_version: said.head_version,
        head_hash: said.head_hash,
        recipients_hash: recipients_hash(&recipients).as_bytes().to_vec(),
    };
    let plaintext = v1::Sealed {
        version: 1,
        sender_device: NURSE.to_vec(),
        recipient_device: US.to_vec(),
        payload: Some(v1::sealed::Payload::ContentKey(key)),
    };
    match read(&pad(plaintext.encode_to_vec(), SEALED_FLOOR), US, NURSE).ok()? {
        Opened::Key(key) => key.content(&sealed.ciphertext, US).ok(),
        Opened::Control(_) => None,
    }
}

/// Takes it in as a proven colleague's, looks at the store, and takes it back.
fn deliver(inside: Inside) {
    WORLD.with(|world| {
        let World {
            connection,
            memory,
            context,
            nurse,
        } = &mut *world.borrow_mut();
        let sender = ProvenSender {
            user: nurse.user_id.clone(),
            ed25519: nurse.public_key(),
            curve25519: [9; 32],
            active: true,
        };
        let envelope = v1::Envelope {
            envelope_id: vec![3; 16],
            sender_device: NURSE.to_vec(),
            sender_user_id: nurse.user_id.to_string(),
            ..Default::default()
        };
        connection.execute_batch("SAVEPOINT fuzz").unwrap();
        let sealer = BodySealer::locked_batch(&context.reading_public).unwrap();
        let mut step = Step {
            connection,
            memory,
            context,
        };
        inbox::apply(&mut step, &sealer, &envelope, &sender, inside).unwrap();
        check(connection, context);
        connection
            .execute_batch("ROLLBACK TO fuzz; RELEASE fuzz")
            .unwrap();
    });
}

/// What must hold whatever a colleague seals.
fn check(connection: &Connection, context: &Context) {
    let count = |sql: &str, of: &[u8]| -> i64 {
        connection
            .query_row(sql, params![of], |row| row.get(0))
            .unwrap()
    };
    let foreign = "SELECT count(*) FROM message WHERE sender_device <> ?1 AND sequence > 1";
    assert_eq!(count(foreign, NURSE.as_bytes()), 0, "somebody is quoted");
    let unread = "SELECT count(*) FROM message WHERE direction = 2 AND read_at IS NULL AND ?1 = ?1";
    let page = list::look(connection, &context.identity.user_id, None, None, 10, NOW).unwrap();
    assert_eq!(i64::try_from(page.unread).unwrap(), count(unread, &[]));
    let nurse = Recipient::Person("NS-1".parse().unwrap());
    for shown in &page.conversations {
        let team = matches!(shown.with, Recipient::Team(_));
        let calls =
            matches!(&shown.with, Recipient::Caller { person, .. } if person.as_str() == "NS-1");
        assert!(
            team || calls || shown.with == nurse,
            "a letter between others"
        );
        let us = &context.identity;
        let id = shown.with.conversation(&us.organization, &us.user_id);
        assert_eq!(shown.id, id);
    }
    let receipts = "SELECT count(*) FROM receipt WHERE author_user <> CAST(?1 AS TEXT)";
    assert_eq!(count(receipts, b"NS-1"), 0, "a receipt for somebody else");
    // The one message of ours went to the pharmacist: a nurse cannot have read it.
    let states = "SELECT count(*) FROM recipient WHERE state > 2 AND ?1 = ?1";
    assert_eq!(count(states, &[]), 0, "a receipt of whom it was not for");
    assert_eq!(audit::verify(connection).unwrap(), None);
}

struct World {
    connection: Connection,
    memory: Memory,
    context: Context,
    nurse: DeviceIdentity,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

impl World {
    fn new() -> Self {
        let connection = store::in_memory().unwrap();
        connection.execute_batch(OUR_MESSAGE).unwrap();
        let organization = || "mercy".parse().unwrap();
        let mut us = DeviceIdentity::generate(organization(), "DR-1".parse().unwrap());
        us.device_id = US;
        let trust = Trust::new(organization(), Hash::of(b"root"));
        directory::save_trust(&connection, &trust).unwrap();
        let (listeners, _) = broadcast::channel(1);
        Self {
            connection,
            memory: Memory::new(listeners),
            context: Context {
                identity: us,
                reading: None,
                reading_public: ReadingPublicKey::for_tests(),
                checkpoint_confirmed: true,
                head_confirmed: true,
                now: NOW,
                clocks: Clocks::device_only(NOW),
            },
            nurse: DeviceIdentity::generate(organization(), "NS-1".parse().unwrap()),
        }
    }
}

const US: DeviceId = DeviceId::from_bytes([1; 16]);
const NURSE: DeviceId = DeviceId::from_bytes([2; 16]);
const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
/// Of ours, to a pharmacist, delivered nowhere.
const OUR_MESSAGE: &str = "
    INSERT INTO device (singleton, organization, user_id, device_id, identity, account, listing)
    VALUES (1, 'mercy', 'DR-1', X'01010101010101010101010101010101', X'', X'', X'');
    INSERT INTO conversation (id, conversation_id, reference)
    VALUES (1, X'0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A0A', X'');
    INSERT INTO message (sequence, message_id, sender_device, sender_user, conversation, direction,
        proof, priority, created_at, arrived_at, content_hash, body)
    VALUES (1, X'01900000000070008000000000000001', X'01010101010101010101010101010101', 'DR-1', 1, 1,
        1, 1, 0, 0, zeroblob(32), X'');
    INSERT INTO recipient (message, device_id, user_id, state)
    VALUES (1, X'05050505050505050505050505050505', 'PH-1', 2);
    INSERT INTO sent_envelope VALUES (X'01900000000070008000000000000009', 1, 0);
    INSERT INTO envelope_device VALUES
        (X'01900000000070008000000000000009', X'05050505050505050505050505050505');";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::MessageId, message::TEXT};

    include!("../../../fuzz/replay.rs");

    #[test]
    fn corpora_replay() {
        replay("sealed_plaintext", sealed_plaintext);
        replay("content", content);
    }

    /// The fuzzer starts from what honest devices say. When a form changes on purpose, run this once with
    /// `WARDLINE_WRITE_CORPUS=1`, and keep the old inputs under other names.
    #[test]
    fn honest_contents_are_in_the_corpora() {
        let save = |target: &str, name: &str, bytes: &[u8]| {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../fuzz/corpus")
                .join(target);
            if std::env::var_os("WARDLINE_WRITE_CORPUS").is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(folder.join(name), bytes).unwrap();
            }
            let kept = std::fs::read(folder.join(name)).unwrap();
            assert!(kept == bytes, "{target}/{name}");
        };
        for (name, recipient) in [
            ("direct", Recipient::Person("DR-1".parse().unwrap())),
            ("team", Recipient::Team("careteam-7".parse().unwrap())),
            ("role", Recipient::Role("on-call".parse().unwrap())),
        ] {
            let honest = honest(&recipient).encode_to_vec();
            assert!(sealed_and_opened(&honest).is_some());
            save("content", name, &honest);
        }
        let unknown = v1::Content {
            type_uri: "example.org/order/1".into(),
            fallback_text: "An order that this version does not know".into(),
            ..honest(&Recipient::Person("DR-1".parse().unwrap()))
        };
        save("content", "unknown-type", &unknown.encode_to_vec());
        for (name, payload) in payloads() {
            let sealed = v1::Sealed {
                version: 1,
                sender_device: NURSE.to_vec(),
                recipient_device: US.to_vec(),
                payload: Some(payload),
            };
            let plaintext = pad(sealed.encode_to_vec(), SEALED_FLOOR);
            assert!(read(&plaintext, US, NURSE).is_ok());
            save("sealed_plaintext", name, &plaintext);
        }
    }

    fn honest(recipient: &Recipient) -> v1::Content {
        let nurse = "NS-1".parse().unwrap();
        let id = recipient.conversation(&"mercy".parse().unwrap(), &nurse);
        v1::Content {
            version: 1,
            organization: "mercy".into(),
            message_id: message().as_bytes().to_vec(),
            conversation_id: id.as_bytes().to_vec(),
            conversation: Some(recipient.reference(&nurse, None)),
            sender_user_id: "NS-1".into(),
            sender_device: NURSE.to_vec(),
            created_at_ms: NOW.as_millis(),
            head_version: 3,
            head_hash: vec![4; 32],
            recipient_devices: vec![US.to_vec()],
            type_uri: TEXT.into(),
            body: v1::TextBody {
                text: "K 6.6 mmol/L".into(),
            }
            .encode_to_vec(),
            priority: 3,
            ..Default::default()
        }
    }

    fn message() -> MessageId {
        let mut id = [0; 16];
        hex::decode_to_slice("01900000000070008000000000000002", &mut id).unwrap();
        MessageId::from_slice(&id).unwrap()
    }

    fn payloads() -> Vec<(&'static str, v1::sealed::Payload)> {
        use v1::{control::Body, sealed::Payload};
        let control = |body| {
            Payload::Control(v1::Control {
                head_version: 3,
                head_hash: vec![4; 32],
                body: Some(body),
            })
        };
        let batch = v1::ReceiptBatch {
            version: 1,
            organization: "mercy".into(),
            device_id: NURSE.to_vec(),
            receipts: vec![v1::Receipt {
                message_id: hex::decode("01900000000070008000000000000001").unwrap(),
                content_hash: vec![0; 32],
                kind: v1::ReceiptKind::Read.into(),
                at_ms: NOW.as_millis(),
            }],
        };
        vec![
            (
                "content-key",
                Payload::ContentKey(v1::ContentKey {
                    key: vec![7; 32],
                    content_hash: vec![8; 32],
                    conversation_id: vec![9; 16],
                    message_id: message().as_bytes().to_vec(),
                    head_version: 3,
                    head_hash: vec![4; 32],
                    recipients_hash: vec![5; 32],
                }),
            ),
            (
                "receipts",
                control(Body::Receipts(v1::SignedReceipts {
                    batch: batch.encode_to_vec(),
                    signature: vec![6; 64],
                })),
            ),
            (
                "reseal-request",
                control(Body::ResealRequest(v1::ResealRequest {
                    envelope_ids: vec![hex::decode("01900000000070008000000000000009").unwrap()],
                })),
            ),
            (
                "session-refresh",
                control(Body::SessionRefresh(v1::SessionRefresh::default())),
            ),
        ]
    }
}
