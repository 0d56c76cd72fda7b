#![allow(clippy::unwrap_used, reason = "a test may fail")]

use wardline_org::Hash;

use super::*;
use crate::{
    message::{
        Priority, Proof, RECALL,
        rows::{self, Facts, NewMessage},
    },
    store::tests_support,
};

const WINDOW: i64 = 1000;
const NOW: Timestamp = Timestamp::from_millis(500);

struct Store {
    connection: Connection,
    _folder: tempfile::TempDir,
}

/// A recall as it comes in.
#[derive(Clone, Copy)]
struct Said {
    user: &'static str,
    at: i64,
    conversation: i64,
    hash: u8,
    proof: Proof,
}

const BY_AUTHOR: Said = Said {
    user: "NS-1",
    at: 500,
    conversation: 1,
    hash: 0,
    proof: Proof::Proven,
};

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = tests_support::connection(folder.path());
        for row in [1_u8, 2] {
            let sql = "INSERT INTO conversation (id, conversation_id, reference)
                VALUES (?1, ?2, X'')";
            connection.execute(sql, params![row, [row]]).unwrap();
        }
        Self {
            connection,
            _folder: folder,
        }
    }

    fn insert(&self, number: u8, said: Said, type_uri: &str) -> i64 {
        let new = NewMessage {
            message_id: id(number),
            sender_device: DeviceId::from_bytes([9; 16]),
            sender_user: &UserId::new(said.user).unwrap(),
            conversation: said.conversation,
            direction: Direction::Incoming,
            proof: said.proof,
            priority: Priority::Routine,
            created_at: Timestamp::from_millis(said.at),
            arrived_at: NOW,
            content_hash: Some(Hash::of(&[number])),
            body: b"body",
            content_key: None,
            facts: Facts::of(&v1::Content {
                type_uri: type_uri.to_owned(),
                subject: Some(v1::MessageReference {
                    sender_device: vec![9; 16],
                    message_id: id(0).as_bytes().to_vec(),
                    content_hash: vec![0; 32],
                }),
                ..Default::default()
            }),
            speaks: None,
            passed_by: None,
        };
        rows::insert(&self.connection, &new).unwrap().unwrap()
    }

    fn message(&self) -> Vec<Verdict> {
        let written = Said { at: 0, ..BY_AUTHOR };
        self.insert(0, written, "wardline.text/1");
        settle(&self.connection, subject(), WINDOW, &Hold::nothing(), NOW).unwrap()
    }

    fn recall(&self, number: u8, said: Said) -> Vec<Verdict> {
        let row = self.insert(number, said, RECALL);
        let hash = Hash::of(&[said.hash]);
        let new = NewRecall {
            row,
            subject: subject(),
            subject_hash: hash.as_bytes(),
            user: &UserId::new(said.user).unwrap(),
            at: Timestamp::from_millis(said.at),
        };
        note(&self.connection, &new).unwrap();
        settle(&self.connection, subject(), WINDOW, &Hold::nothing(), NOW).unwrap()
    }

    fn body(&self) -> Vec<u8> {
        let sql = "SELECT body FROM message WHERE shown = 1";
        self.connection
            .query_row(sql, [], |row| row.get(0))
            .unwrap()
    }

    fn unread(&self) -> i64 {
        let sql = "SELECT unread FROM conversation WHERE id = 1";
        self.connection
            .query_row(sql, [], |row| row.get(0))
            .unwrap()
    }
}

fn id(number: u8) -> MessageId {
    let mut uuid = [number; 16];
    // A UUID of version 7.
    uuid[6] = 0x70;
    uuid[8] = 0x80;
    MessageId::from_slice(&uuid).unwrap()
}

fn subject() -> MessageRef {
    MessageRef {
        device: DeviceId::from_bytes([9; 16]),
        id: id(0),
    }
}

#[test]
fn nobody_but_the_author_takes_a_message_back() {
    let store = Store::new();
    store.message();
    let refused = [Verdict::Refused];
    let another = Said {
        user: "DR-1",
        ..BY_AUTHOR
    };
    assert_eq!(store.recall(1, another), refused);
    let other_text = Said {
        hash: 7,
        ..BY_AUTHOR
    };
    assert_eq!(store.recall(2, other_text), refused);
    let elsewhere = Said {
        conversation: 2,
        ..BY_AUTHOR
    };
    assert_eq!(store.recall(3, elsewhere), refused);
    let revoked = Said {
        proof: Proof::Revoked,
        ..BY_AUTHOR
    };
    assert_eq!(store.recall(4, revoked), refused);
    assert_eq!((store.body(), store.unread()), (b"body".to_vec(), 1));

    assert_eq!(store.recall(5, BY_AUTHOR), [Verdict::Obeyed]);
    assert_eq!((store.body(), store.unread()), (Vec::new(), 0));
    assert_eq!(store.recall(6, BY_AUTHOR), refused, "once");
    assert_eq!(store.unread(), 0);
}

#[test]
fn too_late_by_the_policy_it_is_kept() {
    let store = Store::new();
    store.message();
    let late = Said {
        at: WINDOW + 1,
        ..BY_AUTHOR
    };
    assert_eq!(store.recall(1, late), [Verdict::Kept]);
    assert_eq!(store.body(), b"body");
    let last_moment = Said {
        at: WINDOW,
        ..BY_AUTHOR
    };
    assert_eq!(store.recall(2, last_moment), [Verdict::Obeyed]);
}

#[test]
fn a_recall_that_overtakes_its_message_is_obeyed_when_that_comes() {
    let store = Store::new();
    assert_eq!(store.recall(1, BY_AUTHOR), []);
    let another = Said {
        user: "DR-1",
        ..BY_AUTHOR
    };
    assert_eq!(store.recall(2, another), []);
    assert_eq!(store.message(), [Verdict::Obeyed, Verdict::Refused]);
    assert_eq!((store.body(), store.unread()), (Vec::new(), 0));
}

#[test]
fn the_word_of_a_device_replaces_that_of_the_relay_and_never_the_other_way() {
    let store = Store::new();
    store.message();
    store.recall(1, BY_AUTHOR);
    let device = DeviceId::from_bytes([3; 16]);
    let user = UserId::new("DR-1").unwrap();
    rows::add_recipient(&store.connection, 1, device, &user).unwrap();
    let note = |outcome| note_outcome(&store.connection, 1, device, outcome).unwrap();
    assert!(note(RecallOutcome::Withdrawn));
    assert!(note(RecallOutcome::PurgedRead));
    assert!(!note(RecallOutcome::PurgedUnread));
    assert!(!note(RecallOutcome::Withdrawn));
}

#[test]
fn what_waits_for_the_unlock_holds_up_nothing_that_can_be_purged_now() {
    let store = Store::new();
    let mut last = 0;
    for number in 0..=MOST_PURGED_AT_ONCE {
        let sql = "INSERT INTO message
                (message_id, sender_device, sender_user, conversation, direction, proof, priority,
                 created_at, arrived_at, body)
            VALUES (randomblob(16), X'09', 'NS-1', 1, 2, 1, 0, 0, 0, X'')";
        store.connection.execute(sql, []).unwrap();
        last = store.connection.last_insert_rowid();
        let sql = "INSERT INTO purge (message, indexed) VALUES (?1, ?2)";
        let indexed = number < MOST_PURGED_AT_ONCE;
        store
            .connection
            .execute(sql, params![last, indexed])
            .unwrap();
    }
    assert_eq!(unpurged(&store.connection, false).unwrap(), [last]);
    let all = unpurged(&store.connection, true).unwrap();
    assert_eq!(all.len(), usize::try_from(MOST_PURGED_AT_ONCE).unwrap());
}
