//! A power cut at every failpoint: whatever a client was not answered is all there or not there at all,
//! and asking again comes to the same end.
//!
//! When a point is reached the files are copied as they are; the copy is what a power cut would have
//! left. (A binary of its own: failpoints are of the whole process, and other tests would reach them.)
//! The relay itself runs on, which a killed process does not: what follows happens on the copy.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test may fail"
)]

#[path = "../it/hospital.rs"]
#[allow(dead_code, reason = "the other test binary uses the rest of it")]
mod hospital;
#[path = "../it/world.rs"]
#[allow(dead_code, reason = "the other test binary uses the rest of it")]
mod world;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use fail::FailScenario;
use tempfile::TempDir;
use wardline_org::{Clock as _, Hash, ManualClock, prekey::PrekeyKind};
use wardline_proto::v1::{self, envelope::Notice};
use wardline_relay::{FAILPOINTS, Relay, SqliteStorage, storage::Storage as _};

use crate::{
    hospital::{Device, undisturbed},
    world::{RELAY, World, call_over, cast, sealed_key, submission},
};

#[test]
fn power_cut_at_any_point_loses_and_doubles_nothing() {
    let scenario = FailScenario::setup();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut reached = 0;
    for point in FAILPOINTS {
        for step in STEPS {
            reached += usize::from(runtime.block_on(crash(point, *step)));
        }
    }
    // Each call reaches its own two points, its mark's, and no other: see to it that the points are
    // where the table says.
    assert!(reached >= 2 * STEPS.len(), "only {reached} points reached");
    scenario.teardown();
}

/// What the client is doing when the power goes.
#[derive(Debug, Clone, Copy)]
enum Step {
    Upload,
    Claim,
    Send,
    Receive,
    Acknowledge,
    Withdraw,
    Checkpoint,
    RegisterPush,
    SetAvailability,
    Hold,
    Release,
    Cancel,
    Advance,
}

impl Step {
    /// Whether something is held for Ben, or is to be.
    fn is_held(self) -> bool {
        matches!(
            self,
            Self::Hold | Self::Release | Self::Cancel | Self::Advance
        )
    }
}

const STEPS: &[Step] = &[
    Step::Upload,
    Step::Claim,
    Step::Send,
    Step::Receive,
    Step::Acknowledge,
    Step::Withdraw,
    Step::Checkpoint,
    Step::RegisterPush,
    Step::SetAvailability,
    Step::Hold,
    Step::Release,
    Step::Cancel,
    Step::Advance,
];

/// Does the step with the power cut at a point, then again after it. Answers whether the point was reached.
async fn crash(point: &str, step: Step) -> bool {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    world.upload(&cast.ben, &[1, 2], Some(50)).await.unwrap();
    let waiting = submission("waiting", &[&cast.ben]);
    world.send(&cast.ada, waiting.clone()).await.unwrap();
    if matches!(step, Step::Acknowledge) {
        world.receive(&cast.ben).await.unwrap();
    }
    let mut new = submission("new", &[&cast.ben]);
    if step.is_held() {
        new.deposit = Some(deposit(&cast.ben));
    }
    if step.is_held() && !matches!(step, Step::Hold) {
        world.send(&cast.ada, new.clone()).await.unwrap();
    }

    let snapshot: Arc<Mutex<Option<TempDir>>> = Arc::default();
    let taken = Arc::clone(&snapshot);
    let from = world.path();
    fail::cfg_callback(point, move || {
        let mut taken = taken.lock().unwrap();
        taken.get_or_insert_with(|| copy(&from));
    })
    .unwrap();
    let client = Client {
        relay: &world.relay,
        clock: &world.clock,
        ada: &cast.ada,
        ben: &cast.ben,
    };
    client.take(step, &waiting, &new).await;
    fail::remove(point);
    let Some(folder) = snapshot.lock().unwrap().take() else {
        return false;
    };

    let storage = Arc::new(SqliteStorage::open(folder.path()).unwrap());
    let opened = Relay::open(world.config.clone(), storage.clone(), world.clock.clone());
    let relay = opened.await.unwrap();
    let after = Client {
        relay: &relay,
        ..client
    };
    after.take(step, &waiting, &new).await;
    after.check(step, &waiting, &new).await;
    let org = storage.organization(&world.hospital.org).await.unwrap();
    let target = storage.push_target(org, cast.ben.id()).await.unwrap();
    let registered = target.map(|target| target.registration.token().to_owned());
    let expected = matches!(step, Step::RegisterPush).then(|| "token".to_owned());
    assert_eq!(registered, expected, "{step:?}");
    relay.close().await;
    true
}

struct Client<'a> {
    relay: &'a Relay,
    clock: &'a ManualClock,
    ada: &'a Device,
    ben: &'a Device,
}

impl Client<'_> {
    /// Makes the step's call, signed anew, as a client does that had no answer.
    async fn take(&self, step: Step, waiting: &v1::Submission, new: &v1::Submission) {
        match step {
            Step::Upload => {
                let keys = [1, 2, 3].map(|seed| self.ben.prekey(PrekeyKind::OneTime, seed));
                let upload = v1::UploadKeysRequest {
                    one_time_keys: keys.to_vec(),
                    ..Default::default()
                };
                self.ask(self.ben, &upload).await;
            }
            Step::Claim => drop(self.claim().await),
            Step::Send | Step::Hold => {
                let send = v1::SendRequest {
                    submissions: vec![new.clone()],
                    checkpoint: 7,
                };
                self.ask(self.ada, &send).await;
            }
            Step::Receive => drop(self.mailbox().await),
            Step::Acknowledge => {
                let epoch = self.mailbox().await.epoch;
                let acknowledge = v1::AcknowledgeRequest {
                    up_to: 1,
                    epoch,
                    checkpoint: 7,
                };
                self.ask(self.ben, &acknowledge).await;
            }
            Step::Withdraw => {
                let withdraw = v1::WithdrawRequest {
                    envelope_id: waiting.envelope_id.clone(),
                };
                let answer = self.ask(self.ada, &withdraw).await;
                assert_eq!(answer.withdrawn_devices, [self.ben.id().to_vec()]);
            }
            Step::Checkpoint => {
                let checkpoint = v1::CheckpointRequest { counter: 9 };
                assert_eq!(self.ask(self.ada, &checkpoint).await.highest, 9);
            }
            Step::RegisterPush => {
                let register = v1::RegisterPushRequest {
                    token: "token".into(),
                    topic: "fcm:ward".into(),
                };
                self.ask(self.ben, &register).await;
            }
            Step::SetAvailability => {
                let call = self
                    .ben
                    .says(undisturbed(self.clock.now()), self.clock.now());
                let standing = self.ask(self.ben, &call).await.standing;
                assert_eq!(standing, call.availability);
            }
            Step::Release => {
                self.clock.advance(MINUTE);
                self.relay.release_due().await.unwrap();
            }
            Step::Cancel => {
                let cancel = v1::CancelRequest {
                    deposit_id: DEPOSIT.to_vec(),
                    sender_device: self.ada.id().to_vec(),
                    stop_secret: SECRET.to_vec(),
                    acknowledgement: Some(self.answer(waiting)),
                    checkpoint: 0,
                };
                assert!(self.ask(self.ben, &cancel).await.stopped);
            }
            Step::Advance => {
                let advance = v1::AdvanceRequest {
                    deposit_id: DEPOSIT.to_vec(),
                    sender_device: self.ada.id().to_vec(),
                    stop_secret: SECRET.to_vec(),
                    tier: 0,
                    acknowledgement: Some(self.answer(waiting)),
                    checkpoint: 0,
                };
                assert!(self.ask(self.ben, &advance).await.advanced);
            }
        }
    }

    /// Ben's answer to Ada, the same every time.
    fn answer(&self, waiting: &v1::Submission) -> v1::Submission {
        v1::Submission {
            keys: vec![sealed_key(self.ada)],
            ..waiting.clone()
        }
    }

    /// What Ada has been told and answered of what she left, once.
    async fn check_held(&self, step: Step) {
        let page = self.ask(self.ada, &v1::ReceiveRequest::default()).await;
        let found: Vec<_> = page.envelopes.iter().map(|e| e.notice.as_ref()).collect();
        match (step, &found[..]) {
            (Step::Hold, []) | (Step::Release, [Some(Notice::Released(_))]) => {}
            (Step::Cancel, [None, Some(Notice::Stopped(_))]) => {}
            (Step::Advance, [None, Some(Notice::Released(told))]) => assert!(told.advanced),
            other => panic!("{other:?}"),
        }
        self.clock.advance(MINUTE);
        self.relay.release_due().await.unwrap();
        let held = self.mailbox().await.envelopes;
        let held = held.iter().filter(|e| e.content == "held content").count();
        assert_eq!(held, usize::from(!matches!(step, Step::Cancel)), "{step:?}");
    }

    /// What must be true once the step was answered, however often it was begun.
    async fn check(&self, step: Step, waiting: &v1::Submission, new: &v1::Submission) {
        let mailbox = self.mailbox().await;
        let found: Vec<_> = mailbox.envelopes.iter().map(|e| &e.envelope_id).collect();
        let expected: &[_] = match step {
            Step::Send | Step::Hold | Step::Cancel => &[&waiting.envelope_id, &new.envelope_id],
            Step::Release | Step::Advance => {
                let tier = &new.deposit.as_ref().unwrap().tiers[0];
                &[&waiting.envelope_id, &new.envelope_id, &tier.envelope_id]
            }
            Step::Acknowledge | Step::Withdraw => &[],
            _ => &[&waiting.envelope_id],
        };
        assert_eq!(found, expected, "{step:?}");

        let keys = mailbox.unclaimed_one_time_keys;
        match step {
            Step::Upload => assert_eq!(keys, 3),
            // One was answered, and one may have been spent on the answer that was lost.
            Step::Claim => assert!(keys <= 1, "a key that was handed out is back"),
            _ => assert_eq!(keys, 2),
        }
        let checkpoint = v1::CheckpointRequest { counter: 0 };
        let highest = match step {
            Step::Acknowledge => self.ask(self.ben, &checkpoint).await.highest,
            _ => self.ask(self.ada, &checkpoint).await.highest,
        };
        let expected = match step {
            Step::Send | Step::Acknowledge | Step::Hold => 7,
            Step::Checkpoint => 9,
            _ => 0,
        };
        assert_eq!(highest, expected, "{step:?}");
        if step.is_held() {
            self.check_held(step).await;
        }
    }

    async fn claim(&self) -> v1::ClaimKeysResponse {
        let claim = v1::ClaimKeysRequest {
            device_ids: vec![self.ben.id().to_vec()],
            hold_device_ids: Vec::new(),
        };
        self.ask(self.ada, &claim).await
    }

    async fn mailbox(&self) -> v1::ReceiveResponse {
        self.ask(self.ben, &v1::ReceiveRequest::default()).await
    }

    async fn ask<C: wardline_org::transport::RelayCall>(
        &self,
        device: &Device,
        call: &C,
    ) -> C::Answer {
        let transport = self.relay.local();
        call_over(&transport, &device.calls(RELAY), call, self.clock.now())
            .await
            .unwrap()
    }
}

/// For Ben, a minute later.
fn deposit(ben: &Device) -> v1::Deposit {
    let tier = v1::HeldTier {
        envelope_id: submission("", &[]).envelope_id,
        wait_ms: MINUTE.as_millis().try_into().unwrap(),
        user_ids: vec![ben.user().to_string()],
        keys: vec![v1::SealedKey {
            suite: v1::Suite::HpkeHold.into(),
            olm_type: 0,
            ciphertext: vec![1; 50].into(),
            ..sealed_key(ben)
        }],
        ..Default::default()
    };
    v1::Deposit {
        deposit_id: DEPOSIT.to_vec(),
        stop_hash: Hash::of(&SECRET).as_bytes().to_vec(),
        content: b"held content".to_vec(),
        tiers: vec![tier],
    }
}

fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in ["relay.db", "relay.db-wal"] {
        let (from, to): (PathBuf, PathBuf) = (from.join(file), to.path().join(file));
        std::fs::copy(from, to).unwrap();
    }
    to
}

const DEPOSIT: [u8; 16] = [7; 16];
const SECRET: [u8; 32] = [8; 32];
const MINUTE: Duration = Duration::from_secs(60);
