//! However a relay cuts, repeats and orders what waits for a device, the device ends up with the same.

use std::{fs, path::Path, sync::Arc};

use proptest::prelude::*;
use tokio::runtime::Runtime;
use wardline::{Client, Draft, Priority, Recipient, testing};
use wardline_org::{ManualClock, Response, Timestamp, Transport};
use wardline_proto::{Message, v1};
use wardline_tests::{Faults, Phone, Ward, settle, team, text};

/// What waits for a device that was closed, and the files it was closed with.
struct Waiting {
    ward: Ward,
    closed: Phone,
    batch: v1::ReceiveResponse,
}

/// One answer of the relay: up to here, with some of what came before, in some order.
#[derive(Debug, Clone)]
struct Answer {
    up_to: usize,
    repeated: Vec<usize>,
    order: u64,
    /// The device is closed and opened before this one.
    reopened: bool,
}

impl Waiting {
    async fn at_the_relay() -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let mut ward = Ward::open_at(&["NS-1", "DR-1", "PH-1"], clock).await;
        let nurse = ward.phone("NS-1").await;
        let doctor = ward.phone("DR-1").await;
        let tablet = ward.phone("DR-1").await;
        let pharmacist = ward.phone("PH-1").await;
        settle(&[&nurse, &doctor, &tablet, &pharmacist], 1).await;
        let to_doctor = || Recipient::Person(doctor.user.clone());
        let mut asked = Vec::new();
        for number in 0..3 {
            asked.push(
                doctor
                    .say(Recipient::Person(nurse.user.clone()), &text(number))
                    .await,
            );
        }
        pharmacist.say(team(), &text(3)).await;
        settle(&[&doctor, &pharmacist, &doctor], 1).await;
        doctor.client.close().await.unwrap();

        // From here on everything waits: messages of three authors, receipts, what was read elsewhere.
        nurse.client.sync_once().await.unwrap();
        for number in 10..16 {
            let urgent = [Priority::Routine, Priority::Urgent, Priority::Stat][number % 3];
            let draft = Draft::new(to_doctor(), text(number)).priority(urgent);
            nurse.client.send(draft).await.unwrap();
            pharmacist.say(team(), &text(10 + number)).await;
            settle(&[&nurse, &pharmacist], 1).await;
        }
        let read = asked[..2].iter().map(|id| doctor.reference(*id)).collect();
        nurse.client.mark_read(read).await.unwrap();
        tablet.say(team(), &text(30)).await;
        settle(&[&nurse, &tablet], 1).await;
        let seen = tablet.messages(tablet.with("NS-1")).await;
        let seen = seen
            .iter()
            .rev()
            .take(2)
            .map(wardline::Message::reference)
            .collect();
        tablet.client.mark_read(seen).await.unwrap();
        settle(&[&tablet], 1).await;

        let copy = Copied::of(&doctor, &ward).await;
        let transport = ward.relay().local();
        let mut batch = None;
        for pending in copy.client.pending_requests().await.unwrap() {
            if pending.id.to_string().starts_with("receive-") {
                let answer = transport.call(pending.request).await.unwrap();
                batch = Some(v1::ReceiveResponse::decode(answer.body).unwrap());
            }
        }
        let batch = batch.unwrap();
        assert!(batch.envelopes.len() > 15 && !batch.more);
        Self {
            ward,
            closed: doctor,
            batch,
        }
    }

    /// The state of the device after these answers, and everything twice at the end.
    async fn after(&self, answers: &[Answer]) -> Vec<String> {
        let mut copy = Copied::of(&self.closed, &self.ward).await;
        for answer in answers {
            if answer.reopened {
                copy = copy.reopened(&self.ward).await;
            }
            copy.take_in(self.cut(answer)).await;
        }
        for _ in 0..2 {
            copy.take_in(self.batch.clone()).await;
        }
        copy.state().await
    }

    fn cut(&self, answer: &Answer) -> v1::ReceiveResponse {
        let mut envelopes = self.batch.envelopes[..answer.up_to].to_vec();
        for index in answer
            .repeated
            .iter()
            .filter(|index| **index < answer.up_to)
        {
            envelopes.push(self.batch.envelopes[*index].clone());
        }
        envelopes.sort_by_key(|envelope| {
            // Any order will do, as long as a failing one comes again.
            envelope
                .sequence
                .wrapping_add(1)
                .wrapping_mul(answer.order | 1)
                .rotate_left(17)
        });
        v1::ReceiveResponse {
            last_sequence: envelopes.iter().map(|e| e.sequence).max().unwrap_or(0),
            more: true,
            envelopes,
            ..self.batch.clone()
        }
    }
}

/// Answers the first question of a client as a relay does that knows of no later state of its store.
async fn is_no_old_copy(client: &Client) {
    let checkpoint = client.pending_requests().await.unwrap().remove(0);
    let asked = v1::CheckpointRequest::decode(checkpoint.request.body).unwrap();
    let highest = asked.counter;
    let answer = Response::ok(&v1::CheckpointResponse { highest });
    client.complete(checkpoint.id, answer).await.unwrap();
}

/// A copy of a device's files, opened.
struct Copied {
    folder: tempfile::TempDir,
    client: Client,
}

impl Copied {
    async fn of(phone: &Phone, ward: &Ward) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["phone", "phone.keys"] {
            let from = phone
                .folder
                .with_extension(Path::new(part).extension().unwrap_or_default());
            copy_folder(&from, &folder.path().join(part));
        }
        let client = open(&folder.path().join("phone"), ward).await;
        is_no_old_copy(&client).await;
        Self { folder, client }
    }

    async fn reopened(self, ward: &Ward) -> Self {
        self.client.close().await.unwrap();
        let client = open(&self.folder.path().join("phone"), ward).await;
        is_no_old_copy(&client).await;
        Self { client, ..self }
    }

    async fn take_in(&self, batch: v1::ReceiveResponse) {
        let id = "receive-1".parse().unwrap();
        self.client
            .complete(id, Response::ok(&batch))
            .await
            .unwrap();
    }

    async fn state(&self) -> Vec<String> {
        let mut state = Vec::new();
        for (table, columns) in [
            (
                "message",
                "sequence, message_id, sender_device, sender_user, conversation, direction, proof,
                 priority, created_at, arrived_at, read_at, content_hash",
            ),
            ("receipt", "author_user, message_id, content_hash, kind, at"),
            ("recipient", "*"),
            ("event", "payload"),
            ("audit", "action, subject"),
            ("opened_envelope", "*"),
            ("refused_envelope", "*"),
            ("mailbox", "*"),
        ] {
            let rows = testing::rows(&self.client, table, columns).await.unwrap();
            state.push(format!("{table}: {} rows", rows.len()));
            state.extend(rows);
        }
        let list = self.client.conversations(None, 100).await.unwrap();
        for shown in &list.conversations {
            state.push(format!("{shown:?} {:?}", shown.unread_priority));
        }
        state.push(format!("{} unread", list.unread));
        assert_eq!(self.client.check_audit().await.unwrap(), None);
        state
    }
}

async fn open(folder: &Path, ward: &Ward) -> Client {
    let nobody = Faults::new(Arc::new(ward.relay().local()));
    nobody.cut();
    Client::open(ward.config(folder, Arc::new(nobody)))
        .await
        .unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    let mode = fs::metadata(from).unwrap().permissions();
    fs::set_permissions(to, mode).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

fn answers(most: usize) -> impl Strategy<Value = Vec<Answer>> {
    let answer = (
        1..=most,
        prop::collection::vec(0..most, 0..4),
        any::<u64>(),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(up_to, repeated, order, reopened)| Answer {
            up_to,
            repeated,
            order,
            reopened,
        });
    prop::collection::vec(answer, 0..6).prop_map(|mut answers| {
        // Time goes on: a later answer reaches as far or further, or repeats an earlier one.
        answers.sort_by_key(|answer| answer.up_to - answer.up_to % 3);
        answers
    })
}

#[test]
fn any_cut_order_and_repetition_of_a_mailbox_gives_the_same_messages_counts_and_receipts() {
    let runtime = Runtime::new().unwrap();
    let waiting = runtime.block_on(Waiting::at_the_relay());
    let whole = runtime.block_on(waiting.after(&[]));
    assert!(whole.contains(&"11 unread".to_owned()), "{whole:#?}");
    let most = waiting.batch.envelopes.len();
    let config = ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(answers in answers(most))| {
        let state = runtime.block_on(waiting.after(&answers));
        prop_assert_eq!(&state, &whole);
    });
}

const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const CASES: u32 = 40;
