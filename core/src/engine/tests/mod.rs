//! A message's whole life: whatever is said of it, in whatever order, late, twice, contradictory or by somebody who may
//! not, every device comes to the same end, and the end is the one that the rules name. [`signed`] does the same for
//! what its author is told.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod signed;

use std::collections::BTreeMap;

use proptest::{prelude::*, sample::Index};
use wardline_org::{Hash, UserId, trust::Trust};
use wardline_proto::{Message as _, v1};

use super::{inbox::Inside, *};
use crate::{
    conversation::Recipient,
    directory::{self, ProvenSender},
    id::{MessageId, MessageRef},
    message::{
        AMEND, ANSWER, RECALL, TEXT, Verdict, amend, answer, clocks::Clocks, list, receipts,
    },
    session::{open::OpenedContent, seal::Binding},
    store,
};

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Author,
    /// One of those the message went to; the number is the device, two of one person.
    Recipient(u8),
    /// An enrolled colleague whom the message did not go to.
    Outsider,
}

/// What is said of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Accept,
    Decline,
    Recall,
    Amend,
}

/// A content that a device takes in. `number` tells contents apart.
#[derive(Debug, Clone, Copy)]
struct Word {
    number: u8,
    who: Who,
    what: What,
    /// Milliseconds after the message, by the clock of whoever says it.
    after: i64,
    /// Of another ciphertext under the message's id.
    of_another: bool,
    /// By a device that was revoked meanwhile.
    revoked: bool,
}

/// One thing that happens on a device.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Message,
    Word(Word),
    /// The person here opens it.
    Read,
}

/// What everybody must agree on in the end.
#[derive(Debug, PartialEq, Eq)]
struct End {
    taken_back: bool,
    /// Texts that are left of the message and of what its author and those who answered have said of it.
    bodies_left: bool,
    text: Option<MessageId>,
    answers: BTreeMap<UserId, Verdict>,
    open: bool,
}

impl Word {
    fn counts(&self) -> bool {
        !self.of_another && !self.revoked
    }

    fn takes_back(&self) -> bool {
        self.counts()
            && self.what == What::Recall
            && self.who == Who::Author
            && self.after <= RECALL_WINDOW
    }

    fn corrects(&self) -> bool {
        self.counts()
            && self.what == What::Amend
            && self.who == Who::Author
            && self.after <= AMEND_WINDOW
    }

    fn verdict(&self) -> Option<Verdict> {
        let answers = self.counts() && matches!(self.who, Who::Recipient(_));
        match self.what {
            What::Accept if answers => Some(Verdict::Accepted),
            What::Decline if answers => Some(Verdict::Declined),
            _ => None,
        }
    }
}

/// The rules in words.
fn expected(words: &[Word]) -> End {
    let taken_back = words.iter().any(Word::takes_back);
    let corrections = words.iter().filter(|word| word.corrects());
    let text = corrections.max_by_key(|word| (word.after, word.number));
    let mut answers = BTreeMap::new();
    let mut said: Vec<_> = words
        .iter()
        .filter(|word| word.verdict().is_some())
        .collect();
    said.sort_by_key(|word| (word.after, word.number));
    for word in said {
        answers.insert(user(word.who), word.verdict().unwrap());
    }
    let accepted = answers.values().any(|last| *last == Verdict::Accepted);
    End {
        taken_back,
        bodies_left: !taken_back,
        text: text.filter(|_| !taken_back).map(|word| id(word.number)),
        answers,
        open: !taken_back && !accepted,
    }
}

/// A device of somebody the message went to.
struct Device {
    connection: Connection,
    memory: Memory,
    context: Context,
    envelopes: u8,
}

impl Device {
    fn new(me: Who) -> Self {
        let connection = store::in_memory().unwrap();
        let organization = || "mercy".parse().unwrap();
        let mut identity = DeviceIdentity::generate(organization(), user(me));
        identity.device_id = device(me);
        let trust = Trust::new(organization(), Hash::of(b"root"));
        directory::save_trust(&connection, &trust).unwrap();
        let (listeners, _) = broadcast::channel(1);
        Self {
            connection,
            memory: Memory::new(listeners),
            context: Context {
                identity,
                reading: None,
                reading_public: ReadingPublicKey::for_tests(),
                checkpoint_confirmed: true,
                head_confirmed: true,
                now: NOW,
                clocks: Clocks::device_only(NOW),
            },
            envelopes: 0,
        }
    }

    fn step(&mut self) -> Step<'_> {
        Step {
            connection: &self.connection,
            memory: &mut self.memory,
            context: &self.context,
        }
    }

    fn take(&mut self, happens: Happens) {
        match happens {
            Happens::Message => self.open(Who::Author, false, content(None)),
            Happens::Word(word) => self.open(word.who, word.revoked, content(Some(word))),
            Happens::Read => {
                receipts::mark_read(&self.connection, message(), NOW, NOW).unwrap();
            }
        }
        self.check();
    }

    fn open(&mut self, who: Who, revoked: bool, content: v1::Content) {
        let inside = OpenedContent {
            signed: v1::SignedContent {
                content: content.encode_to_vec(),
                signature: vec![0; 64],
            },
            binding: Binding {
                conversation_id: id_of_team(),
                message_id: MessageId::from_slice(&content.message_id).unwrap(),
                head_version: 1,
                head_hash: Hash::of(b"head"),
                recipients_hash: Hash::of(b"recipients"),
            },
            content_hash: hash_of(&content),
            sender: device(who),
            content,
        };
        self.deliver(who, revoked, [0; 32], Inside::Content(Box::new(inside)));
    }

    fn deliver(&mut self, who: Who, revoked: bool, key: [u8; 32], inside: Inside) {
        self.envelopes += 1;
        let envelope = v1::Envelope {
            envelope_id: vec![self.envelopes; 16],
            sender_device: device(who).to_vec(),
            sender_user_id: user(who).to_string(),
            ..Default::default()
        };
        let sender = ProvenSender {
            user: user(who),
            ed25519: key,
            curve25519: [9; 32],
            active: !revoked,
        };
        let context = self.context.clone();
        let sealer = context.body_sealer().unwrap();
        let mut step = self.step();
        inbox::apply(&mut step, &sealer, &envelope, &sender, inside).unwrap();
    }

    fn count(&self, sql: &str) -> i64 {
        self.connection
            .query_row(sql, [], |row| row.get(0))
            .unwrap()
    }

    /// What holds at every moment.
    fn check(&self) {
        let us = &self.context.identity.user_id;
        let page = list::look(&self.connection, us, None, None, 10, NOW).unwrap();
        let unread = self.count(
            "SELECT count(*) FROM message
             WHERE direction = 2 AND read_at IS NULL AND shown = 1 AND recalled_at IS NULL",
        );
        assert_eq!(i64::try_from(page.unread).unwrap(), unread);
        let shouting = "SELECT count(*) FROM notice n JOIN message m ON m.sequence = n.message
             WHERE m.recalled_at IS NOT NULL OR m.read_at IS NOT NULL";
        assert_eq!(self.count(shouting), 0, "a notification of nothing");
        let unasked = "SELECT count(*) FROM message
             WHERE open = 1 AND (asks = 0 OR recalled_at IS NOT NULL)";
        assert_eq!(self.count(unasked), 0, "an open item that nobody can close");
        assert_eq!(audit::verify(&self.connection).unwrap(), None);
    }

    fn end(&self) -> End {
        let text = amend::standing(&self.connection, message()).unwrap();
        let answers = answer::standing(&self.connection, message()).unwrap();
        let of_message = "SELECT count(*) FROM message WHERE shown = 1 AND length(body) > 0";
        let said = "SELECT count(*) FROM message WHERE shown = 0 AND length(body) > 0
             AND (sequence IN (SELECT message FROM answer)
               OR sequence IN (SELECT message FROM amendment))";
        let left = self.count(of_message) > 0;
        if !left {
            assert_eq!(self.count(said), 0, "what was said of it says what it said");
        }
        End {
            taken_back: self.count("SELECT count(*) FROM message WHERE recall IS NOT NULL") > 0,
            bodies_left: left,
            text: text.map(|(version, _)| version.id),
            answers: answers
                .into_iter()
                .map(|(user, answer)| (user, answer.verdict))
                .collect(),
            open: self.count("SELECT count(*) FROM message WHERE open = 1") > 0,
        }
    }
}

fn content(word: Option<Word>) -> v1::Content {
    let who = word.map_or(Who::Author, |word| word.who);
    let (type_uri, body) = match word.map(|word| word.what) {
        None => (
            TEXT,
            v1::TextBody {
                text: "K 6.6".into(),
            }
            .encode_to_vec(),
        ),
        Some(What::Recall) => (RECALL, v1::RecallBody::default().encode_to_vec()),
        Some(What::Amend) => {
            let body = v1::AmendBody {
                text: "K 4.6".into(),
                ..Default::default()
            };
            (AMEND, body.encode_to_vec())
        }
        Some(what) => {
            let verdict = match what {
                What::Accept => v1::Verdict::Accepted,
                _ => v1::Verdict::Declined,
            };
            let body = v1::AnswerBody {
                verdict: verdict.into(),
                read_back: "potassium, six".into(),
            };
            (ANSWER, body.encode_to_vec())
        }
    };
    let subject = word.map(|word| v1::MessageReference {
        sender_device: device(Who::Author).to_vec(),
        message_id: message().id.as_bytes().to_vec(),
        content_hash: match word.of_another {
            true => Hash::of(b"another").as_bytes().to_vec(),
            false => hash_of(&content(None)).as_bytes().to_vec(),
        },
    });
    let team = Recipient::Team("team-1".parse().unwrap());
    let recipients = [Who::Recipient(0), Who::Recipient(1), Who::Recipient(2)];
    v1::Content {
        version: 1,
        organization: "mercy".into(),
        message_id: id(word.map_or(0, |word| word.number)).as_bytes().to_vec(),
        conversation_id: id_of_team().as_bytes().to_vec(),
        conversation: Some(team.reference(&user(who), None)),
        sender_user_id: user(who).to_string(),
        sender_device: device(who).to_vec(),
        created_at_ms: WRITTEN.as_millis() + word.map_or(0, |word| word.after),
        recipient_devices: recipients.map(|who| device(who).to_vec()).to_vec(),
        type_uri: type_uri.into(),
        body,
        priority: v1::Priority::Urgent.into(),
        answer_within_ms: if word.is_none() { 600_000 } else { 0 },
        subject,
        ..Default::default()
    }
}

fn hash_of(content: &v1::Content) -> Hash {
    Hash::of(&content.message_id)
}

fn id_of_team() -> crate::id::ConversationId {
    Recipient::Team("team-1".parse().unwrap())
        .conversation(&"mercy".parse().unwrap(), &user(Who::Author))
}

fn user(who: Who) -> UserId {
    let name = match who {
        Who::Author => "NS-1",
        Who::Recipient(0 | 1) => "DR-1",
        Who::Recipient(_) => "DR-2",
        Who::Outsider => "PH-1",
    };
    name.parse().unwrap()
}

fn device(who: Who) -> DeviceId {
    DeviceId::from_bytes(match who {
        Who::Author => [1; 16],
        Who::Recipient(number) => [2 + number; 16],
        Who::Outsider => [9; 16],
    })
}

/// A UUID of version 7.
fn id(number: u8) -> MessageId {
    let mut uuid = [0; 16];
    uuid[..6].copy_from_slice(&WRITTEN.as_millis().to_be_bytes()[2..]);
    uuid[6] = 0x70;
    uuid[8] = 0x80;
    uuid[15] = number;
    MessageId::from_slice(&uuid).unwrap()
}

fn message() -> MessageRef {
    MessageRef {
        device: device(Who::Author),
        id: id(0),
    }
}

const WRITTEN: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const NOW: Timestamp = Timestamp::from_millis(1_795_000_900_000);
/// For how long the policy lets an author take back, and correct.
const RECALL_WINDOW: i64 = DAY;
const AMEND_WINDOW: i64 = 7 * DAY;
const DAY: i64 = 86_400_000;

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        3 => Just(Who::Author),
        4 => (0..3_u8).prop_map(Who::Recipient),
        1 => Just(Who::Outsider),
    ]
}

fn word() -> impl Strategy<Value = Word> {
    let what = prop_oneof![
        2 => Just(What::Accept),
        2 => Just(What::Decline),
        1 => Just(What::Recall),
        3 => Just(What::Amend),
    ];
    // Few times, so that some are the same; and some that are too late.
    let late = prop::sample::select(vec![RECALL_WINDOW + 1, AMEND_WINDOW + 1]);
    let after = prop_oneof![4 => 0..4_i64, 1 => late];
    let seldom = || prop::bool::weighted(0.1);
    (who(), what, after, seldom(), seldom()).prop_map(|(who, what, after, of_another, revoked)| {
        Word {
            number: 0,
            who,
            what,
            after,
            of_another,
            revoked,
        }
    })
}

/// The message and all words, some of them twice, and readings, in an order that `turns` decides.
fn story(words: &[Word], repeated: &[Index], reads: usize, turns: &[u8; 32]) -> Vec<Happens> {
    let mut all: Vec<Happens> = words.iter().copied().map(Happens::Word).collect();
    if !all.is_empty() {
        let again: Vec<Happens> = repeated.iter().map(|index| *index.get(&all)).collect();
        all.extend(again);
    }
    all.extend([Happens::Message, Happens::Message]);
    all.extend(std::iter::repeat_n(Happens::Read, reads));
    let mut places: Vec<(Hash, Happens)> = Vec::new();
    for (place, happens) in (0_u64..).zip(all) {
        let key = [turns.as_slice(), &place.to_be_bytes()].concat();
        places.push((Hash::of(&key), happens));
    }
    places.sort_by_key(|(key, _)| *key.as_bytes());
    places.into_iter().map(|(_, happens)| happens).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Two devices of one person and one of another learn of the same words in three orders. Nobody but its author
    /// takes a message back or corrects it, nobody but those it went to answers it, and what was taken back stays so.
    #[test]
    fn every_device_comes_to_the_same_end(
        mut words in prop::collection::vec(word(), 0..9),
        repeated in prop::collection::vec(any::<Index>(), 0..4),
        orders in any::<[[u8; 32]; 3]>(),
        reads in 0..3_usize,
    ) {
        for (number, word) in (1_u8..).zip(&mut words) {
            word.number = number;
        }
        let expected = expected(&words);
        for (number, turns) in (0_u8..).zip(&orders) {
            let mut device = Device::new(Who::Recipient(number));
            for happens in story(&words, &repeated, reads, turns) {
                device.take(happens);
            }
            let end = device.end();
            prop_assert!(end == expected, "device {number}: {end:?}, not {expected:?}");
        }
    }
}
