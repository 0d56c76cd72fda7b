#![allow(clippy::unwrap_used, reason = "a test may fail")]

use proptest::prelude::*;
use wardline_org::Hash;
use wardline_proto::{Message as _, v1};

use super::*;
use crate::{
    message::{
        ANSWER, Priority,
        rows::{Facts, NewMessage},
    },
    store::tests_support,
};

/// A device with room for a message that asks, and answers to it.
struct Store {
    connection: Connection,
    _folder: tempfile::TempDir,
}

/// Who says what when; `device` 1 and 2 are two people's, and the message was sealed for both.
#[derive(Debug, Clone, Copy)]
struct Said {
    device: u8,
    verdict: Verdict,
    at: i64,
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = tests_support::connection(folder.path());
        for row in [1_u8, 2] {
            connection
                .execute(
                    "INSERT INTO conversation (id, conversation_id, reference)
                     VALUES (?1, ?2, X'')",
                    params![row, [row]],
                )
                .unwrap();
        }
        Self {
            connection,
            _folder: folder,
        }
    }

    fn insert(&self, device: u8, number: u8, conversation: i64, proof: Proof, facts: Facts) -> i64 {
        let new = NewMessage {
            message_id: id(number),
            sender_device: device_id(device),
            sender_user: &person(device),
            conversation,
            direction: Direction::Incoming,
            proof,
            priority: Priority::Stat,
            created_at: Timestamp::from_millis(0),
            arrived_at: Timestamp::from_millis(0),
            content_hash: Some(Hash::of(&[number])),
            body: &[],
            content_key: None,
            facts,
            speaks: None,
            passed_by: None,
        };
        rows::insert(&self.connection, &new).unwrap().unwrap()
    }

    /// The message arrives; what was said before counts from now on.
    fn message(&self) -> Vec<Counted> {
        self.message_of("wardline.text/1")
    }

    fn message_of(&self, type_uri: &str) -> Vec<Counted> {
        let facts = Facts::of(&v1::Content {
            type_uri: type_uri.to_owned(),
            priority: Priority::Stat as i32,
            recipient_devices: vec![device_id(1).to_vec(), device_id(2).to_vec()],
            ..Default::default()
        });
        assert!(facts.asks);
        self.insert(9, 0, 1, Proof::Proven, facts);
        count(&self.connection, subject()).unwrap()
    }

    fn answer(&self, number: u8, said: Said) -> bool {
        self.answer_as(number, said, &Hash::of(&[0]), 1, Proof::Proven)
    }

    fn answer_as(
        &self,
        number: u8,
        said: Said,
        hash: &Hash,
        conversation: i64,
        proof: Proof,
    ) -> bool {
        let facts = Facts::of(&content(
            i32::from(v1::Verdict::Accepted),
            Some(reference()),
        ));
        let row = self.insert(said.device, number, conversation, proof, facts);
        let new = NewAnswer {
            row,
            subject: subject(),
            subject_hash: hash.as_bytes(),
            user: &person(said.device),
            device: device_id(said.device),
            verdict: said.verdict,
            at: Timestamp::from_millis(said.at),
            read_back: false,
        };
        note(&self.connection, &new).unwrap()
    }

    fn is_open(&self) -> bool {
        let sql = "SELECT open FROM message WHERE shown = 1";
        self.connection
            .query_row(sql, [], |row| row.get(0))
            .unwrap()
    }

    fn standing(&self) -> Vec<(UserId, Verdict, i64)> {
        let standing = standing(&self.connection, subject()).unwrap();
        let standing = standing.into_iter();
        standing
            .map(|(user, last)| (user, last.verdict, last.at.as_millis()))
            .collect()
    }
}

fn id(number: u8) -> MessageId {
    let mut uuid = [number; 16];
    // A UUID of version 7.
    uuid[6] = 0x70;
    uuid[8] = 0x80;
    MessageId::from_slice(&uuid).unwrap()
}

fn device_id(number: u8) -> DeviceId {
    DeviceId::from_bytes([number; 16])
}

fn person(device: u8) -> UserId {
    UserId::new(format!("DR-{device}")).unwrap()
}

/// An answer, as its author writes it.
fn content(verdict: i32, subject: Option<v1::MessageReference>) -> v1::Content {
    v1::Content {
        type_uri: ANSWER.to_owned(),
        body: v1::AnswerBody {
            verdict,
            ..Default::default()
        }
        .encode_to_vec(),
        subject,
        ..Default::default()
    }
}

fn reference() -> v1::MessageReference {
    v1::MessageReference {
        sender_device: vec![9; 16],
        message_id: id(0).as_bytes().to_vec(),
        content_hash: vec![0; 32],
    }
}

fn subject() -> MessageRef {
    MessageRef {
        device: device_id(9),
        id: id(0),
    }
}

const ACCEPT: Said = Said {
    device: 1,
    verdict: Verdict::Accepted,
    at: 1,
};

#[test]
fn an_answer_that_does_not_belong_to_the_message_closes_nothing() {
    let store = Store::new();
    store.message();
    let (hash, proven) = (Hash::of(&[0]), Proof::Proven);
    let stranger = Said {
        device: 3,
        ..ACCEPT
    };
    assert!(!store.answer(1, stranger), "it was not sealed for them");
    let other = Hash::of(&[77]);
    assert!(
        !store.answer_as(2, ACCEPT, &other, 1, proven),
        "another ciphertext"
    );
    assert!(
        !store.answer_as(3, ACCEPT, &hash, 2, proven),
        "another conversation"
    );
    assert!(
        !store.answer_as(4, ACCEPT, &hash, 1, Proof::Revoked),
        "revoked"
    );
    assert!(store.is_open() && store.standing().is_empty());
    assert!(store.answer(5, ACCEPT));
    assert!(!store.is_open());
}

#[test]
fn whoever_takes_a_critical_result_without_reading_it_back_has_not_taken_it() {
    for type_uri in ["wardline.critical-result/1", "wardline.order/1"] {
        let store = Store::new();
        store.message_of(type_uri);
        assert!(!store.answer(1, ACCEPT), "{type_uri}");
        assert!(store.is_open());
        let verdict = Verdict::Declined;
        assert!(store.answer(2, Said { verdict, ..ACCEPT }), "{type_uri}");
    }
}

#[test]
fn what_came_before_its_message_is_judged_when_that_is_here() {
    let store = Store::new();
    assert!(!store.answer(1, ACCEPT));
    assert!(!store.answer(
        2,
        Said {
            device: 3,
            ..ACCEPT
        }
    ));
    let user = person(1);
    let verdict = Verdict::Accepted;
    assert_eq!(store.message(), [Counted { user, verdict }]);
    assert!(!store.is_open());
    assert_eq!(count(&store.connection, subject()).unwrap(), [], "once");
}

#[test]
fn an_answer_of_a_later_version_is_shown_and_not_dropped() {
    let known = i32::from(v1::Verdict::Accepted);
    assert!(!Facts::of(&content(known, Some(reference()))).shown);
    assert!(Facts::of(&content(77, Some(reference()))).shown);
    assert!(Facts::of(&content(known, None)).shown);
}

fn said() -> impl Strategy<Value = Said> {
    let verdict = prop_oneof![Just(Verdict::Accepted), Just(Verdict::Declined)];
    (1_u8..=3, verdict, 0_i64..4).prop_map(|(device, verdict, at)| Said {
        device,
        verdict,
        at,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Late, repeated, contradictory: every device comes to the same end, whatever the order and
    /// wherever among the answers the message itself arrives.
    #[test]
    fn order_of_arrival_does_not_matter(
        all in proptest::collection::vec(said(), 0..8),
        order in any::<proptest::sample::Index>(),
        place in any::<proptest::sample::Index>(),
    ) {
        let run = |numbers: &[usize], place: usize| {
            let store = Store::new();
            for (nth, number) in numbers.iter().enumerate() {
                if nth == place {
                    store.message();
                }
                store.answer(u8::try_from(*number).unwrap() + 1, all[*number]);
            }
            if place >= numbers.len() {
                store.message();
            }
            (store.is_open(), store.standing())
        };
        let in_order: Vec<usize> = (0..all.len()).collect();
        let mut turned = in_order.clone();
        turned.rotate_left(order.index(all.len().max(1)));
        if order.index(2) == 1 {
            turned.reverse();
        }
        let (open, standing) = run(&in_order, 0);
        prop_assert_eq!(
            &run(&turned, place.index(all.len() + 1)),
            &(open, standing.clone())
        );
        // The table in words: somebody's last word decides, and nobody else's.
        let last = |device: u8| {
            let said = all.iter().enumerate().filter(|(_, said)| said.device == device);
            said.max_by_key(|(number, said)| (said.at, *number)).map(|(_, said)| said.verdict)
        };
        let accepted = [1, 2].map(last).contains(&Some(Verdict::Accepted));
        prop_assert_eq!(open, !accepted);
        prop_assert_eq!(standing.len(), [1, 2].map(last).into_iter().flatten().count());
    }
}
