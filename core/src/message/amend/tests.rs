#![allow(clippy::unwrap_used, reason = "a test may fail")]

use proptest::prelude::*;
use wardline_org::Hash;

use super::*;
use crate::{
    message::{
        AMEND, Direction, Priority, Proof, RECALL, TEXT,
        hold::Hold,
        recall,
        rows::{Facts, NewMessage},
    },
    store::tests_support,
};

const WINDOW: i64 = 1000;
const NOW: Timestamp = Timestamp::from_millis(500);

struct Store {
    connection: Connection,
    _folder: tempfile::TempDir,
}

/// What a device takes in. `number` tells contents apart.
#[derive(Debug, Clone, Copy)]
enum Said {
    Message,
    /// By the author, or somebody else; a copy is handed on by the device of the message.
    Amend {
        number: u8,
        author: bool,
        at: i64,
        copy_of: Option<u8>,
    },
    Recall {
        number: u8,
        author: bool,
        at: i64,
    },
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = tests_support::connection(folder.path());
        let sql =
            "INSERT INTO conversation (id, conversation_id, reference) VALUES (1, X'01', X'')";
        connection.execute(sql, []).unwrap();
        Self {
            connection,
            _folder: folder,
        }
    }

    /// As the engine does.
    fn take(&self, said: Said) {
        let hash = Hash::of(&[0]);
        match said {
            Said::Message => {
                self.insert(0, true, 0, TEXT);
                recall::settle(&self.connection, subject(), WINDOW, &Hold::nothing(), NOW).unwrap();
                settle(&self.connection, subject(), WINDOW).unwrap();
            }
            Said::Amend {
                number,
                author,
                at,
                copy_of,
            } => {
                let row = self.insert(number, author, at, AMEND);
                let new = NewAmendment {
                    row,
                    subject: subject(),
                    subject_hash: hash.as_bytes(),
                    user: &user(author),
                    version: MessageRef {
                        device: DeviceId::from_bytes([9; 16]),
                        id: id(copy_of.unwrap_or(number)),
                    },
                    at: Timestamp::from_millis(at),
                };
                note(&self.connection, &new).unwrap();
                settle(&self.connection, subject(), WINDOW).unwrap();
                recall::bury_words_of_recalled(&self.connection, subject(), NOW).unwrap();
                self.bury_early();
            }
            Said::Recall { number, author, at } => {
                let row = self.insert(number, author, at, RECALL);
                let new = recall::NewRecall {
                    row,
                    subject: subject(),
                    subject_hash: hash.as_bytes(),
                    user: &user(author),
                    at: Timestamp::from_millis(at),
                };
                recall::note(&self.connection, &new).unwrap();
                recall::settle(&self.connection, subject(), WINDOW, &Hold::nothing(), NOW).unwrap();
                self.bury_early();
            }
        }
    }

    fn bury_early(&self) {
        recall::bury_words_of_withdrawn(&self.connection, subject(), WINDOW, NOW).unwrap();
    }

    fn insert(&self, number: u8, author: bool, at: i64, type_uri: &str) -> i64 {
        let content = v1::Content {
            type_uri: type_uri.to_owned(),
            body: v1::AmendBody::default().encode_to_vec(),
            subject: Some(content::reference_to(subject(), Vec::new())),
            ..Default::default()
        };
        let new = NewMessage {
            message_id: id(number),
            sender_device: DeviceId::from_bytes([9; 16]),
            sender_user: &user(author),
            conversation: 1,
            direction: Direction::Incoming,
            proof: Proof::Proven,
            priority: Priority::Routine,
            created_at: Timestamp::from_millis(at),
            arrived_at: NOW,
            content_hash: Some(Hash::of(&[number])),
            body: b"body",
            content_key: None,
            facts: Facts::of(&content),
            speaks: None,
            passed_by: None,
        };
        rows::insert(&self.connection, &new).unwrap().unwrap()
    }

    fn standing(&self) -> Option<MessageId> {
        let standing = standing(&self.connection, subject()).unwrap();
        standing.map(|(version, _)| version.id)
    }

    /// What is left of the message and of everything that its author said of it.
    fn end(&self) -> (Option<MessageId>, bool, i64) {
        let count = |sql: &str| -> i64 {
            let counted = self.connection.query_row(sql, [], |row| row.get(0));
            counted.unwrap()
        };
        let here = count("SELECT count(*) FROM message WHERE shown = 1 AND length(body) > 0") > 0;
        let bodies = "SELECT count(*) FROM amendment a JOIN message m ON m.sequence = a.message
             WHERE length(m.body) > 0 AND a.user_id = 'NS-1'";
        (self.standing(), here, count(bodies))
    }
}

fn user(author: bool) -> UserId {
    UserId::new(if author { "NS-1" } else { "DR-1" }).unwrap()
}

/// A UUID of version 7, made at the beginning of time.
fn id(number: u8) -> MessageId {
    let mut uuid = [0; 16];
    uuid[6] = 0x70;
    uuid[8] = 0x80;
    uuid[15] = number;
    MessageId::from_slice(&uuid).unwrap()
}

fn subject() -> MessageRef {
    MessageRef {
        device: DeviceId::from_bytes([9; 16]),
        id: id(0),
    }
}

const AMENDED: Said = Said::Amend {
    number: 1,
    author: true,
    at: 10,
    copy_of: None,
};
const TAKEN_BACK: Said = Said::Recall {
    number: 100,
    author: true,
    at: 20,
};

#[test]
fn nobody_but_the_author_corrects_a_message_and_only_in_time() {
    let store = Store::new();
    store.take(Said::Message);
    for (number, author, at) in [(1, false, 10), (2, true, WINDOW + 1)] {
        store.take(Said::Amend {
            number,
            author,
            at,
            copy_of: None,
        });
        assert_eq!(store.standing(), None);
    }
    store.take(Said::Amend {
        number: 3,
        author: true,
        at: WINDOW,
        copy_of: None,
    });
    assert_eq!(store.standing(), Some(id(3)));
}

#[test]
fn an_authors_device_that_was_revoked_corrects_nothing() {
    for (proof, corrected) in [(Proof::Proven, true), (Proof::Revoked, false)] {
        let store = Store::new();
        store.take(AMENDED);
        let sql = "UPDATE message SET proof = ?1";
        store.connection.execute(sql, [proof as i64]).unwrap();
        store.take(Said::Message);
        assert_eq!(store.standing().is_some(), corrected, "{proof:?}");
    }
}

#[test]
fn a_correction_after_a_recall_says_nothing_any_more() {
    let store = Store::new();
    for said in [Said::Message, TAKEN_BACK, AMENDED] {
        store.take(said);
    }
    assert_eq!(store.end(), (None, false, 0));
}

#[test]
fn a_correction_of_what_was_withdrawn_before_it_came_is_not_kept() {
    for order in [[AMENDED, TAKEN_BACK], [TAKEN_BACK, AMENDED]] {
        let store = Store::new();
        order.into_iter().for_each(|said| store.take(said));
        assert_eq!(store.end(), (None, false, 0));
        let by_another = Store::new();
        by_another.take(AMENDED);
        by_another.take(Said::Recall {
            number: 100,
            author: false,
            at: 20,
        });
        assert_eq!(by_another.end(), (None, false, 1));
    }
}

#[test]
fn a_copy_is_the_correction_that_it_was_made_of() {
    let store = Store::new();
    let later = Said::Amend {
        number: 2,
        author: true,
        at: 11,
        copy_of: None,
    };
    let copy = Said::Amend {
        number: 3,
        author: true,
        at: 10,
        copy_of: Some(1),
    };
    for said in [Said::Message, AMENDED, later, copy] {
        store.take(said);
    }
    assert_eq!(store.standing(), Some(id(2)));
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        4 => (any::<bool>(), 0..=2 * WINDOW).prop_map(|(author, at)| Said::Amend {
            number: 0, author, at, copy_of: None,
        }),
        1 => (any::<bool>(), 0..=2 * WINDOW).prop_map(|(author, at)| Said::Recall {
            number: 0, author, at,
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Late, repeated, contradictory, by others, with recalls among them: every device comes to the same end,
    /// wherever the message itself arrives.
    #[test]
    fn order_of_arrival_does_not_matter(
        mut all in proptest::collection::vec(said(), 0..7),
        shuffle in any::<u64>(),
    ) {
        for (place, said) in (1_u8..).zip(&mut all) {
            match said {
                Said::Amend { number, .. } | Said::Recall { number, .. } => *number = place,
                Said::Message => {}
            }
        }
        all.insert(0, Said::Message);
        let run = |order: &[Said]| {
            let store = Store::new();
            order.iter().for_each(|said| store.take(*said));
            store.end()
        };
        let end = run(&all);
        let mut turned = all.clone();
        turned.sort_by_key(|said| {
            let number = match said {
                Said::Message => 0,
                Said::Amend { number, .. } | Said::Recall { number, .. } => *number,
            };
            Hash::of(&[shuffle.to_be_bytes().as_slice(), &[number]].concat()).as_bytes().to_vec()
        });
        prop_assert_eq!(run(&turned), end);
        // The rule in words.
        let taken_back = all.iter().any(|said| {
            matches!(said, Said::Recall { author: true, at, .. } if *at <= WINDOW)
        });
        let last = all.iter().filter_map(|said| match said {
            Said::Amend { number, author: true, at, .. } if *at <= WINDOW => Some((*at, *number)),
            _ => None,
        });
        let last = last.max().map(|(_, number)| id(number));
        prop_assert_eq!(end.0, last.filter(|_| !taken_back));
        prop_assert_eq!(end.1, !taken_back);
    }
}
