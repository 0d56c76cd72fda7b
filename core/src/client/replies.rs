//! What an answer of the relay does: it is taken in by a step of the engine, or refused as none.
//!
//! Not its concern: what is asked, and when ([`super::asks`]).

use std::collections::HashSet;

use wardline_org::{
    Refusal, RelayCode, Response,
    transport::{CallError, RelayCall},
    trust::TrustError,
};
use wardline_proto::v1;

use super::{
    Client,
    asks::{Answered, Ask},
    blocking,
};
use crate::{
    audit::Action,
    engine::{
        event::Event, hold_keys, inbox, outbox, points::Commit, posting, reaching, recalling,
        upkeep,
    },
    error::Error,
    message::hold,
    session::ratchets,
    store::StoreError,
};

impl Client {
    /// Takes in the answer to an ask.
    pub(super) async fn answered(&self, ask: Ask, answer: Response) -> Result<Answered, Error> {
        self.heed(&answer).await?;
        let answered = self.take_in(ask, answer).await;
        if let Err(Error::Call(error)) = &answered {
            self.note_revocation(error).await?;
        }
        answered
    }

    async fn take_in(&self, ask: Ask, answer: Response) -> Result<Answered, Error> {
        if ask.moves_ratchets() && !self.inner.line().checkpoint_confirmed {
            // Asked before this store was opened, or taken up again: it will be asked for anew.
            return Ok(Answered::default());
        }
        match ask {
            Ask::Checkpoint(asked) => {
                self.on_checkpoint(asked, decode::<v1::CheckpointRequest>(answer)?)
                    .await
            }
            Ask::Head(_) => self.on_head(decode::<v1::HeadRequest>(answer)?).await,
            Ask::Offer(offer) => {
                self.on_offer(offer, decode::<v1::UploadKeysRequest>(answer)?)
                    .await
            }
            Ask::Entries(asked) => {
                self.on_entries(asked, decode::<v1::EntriesRequest>(answer)?)
                    .await
            }
            Ask::Claim(asked) => {
                self.on_claim(asked, decode::<v1::ClaimKeysRequest>(answer)?)
                    .await
            }
            Ask::Send(sent) => match decode::<v1::SendRequest>(answer) {
                Err(Error::Call(CallError::Refused(refusal))) => {
                    self.on_send_refused(sent, refusal).await
                }
                answer => self.on_send(&sent, answer?).await,
            },
            Ask::Held(asked) => self.on_held(asked, answer).await,
            Ask::Withdraw(asked) => {
                self.on_withdraw(asked, decode::<v1::WithdrawRequest>(answer))
                    .await
            }
            Ask::SetAvailability(asked) => {
                let answer = decode::<v1::SetAvailabilityRequest>(answer);
                self.on_set_availability(asked, answer).await
            }
            Ask::Reachability(asked) => {
                let answer = decode::<v1::ReachabilityRequest>(answer);
                self.on_reachability(asked, answer).await
            }
            Ask::Receive(asked) => {
                self.on_receive(asked, decode::<v1::ReceiveRequest>(answer)?)
                    .await
            }
            Ask::Acknowledge(asked) => {
                decode::<v1::AcknowledgeRequest>(answer)?;
                let mut line = self.inner.line();
                line.acknowledge = None;
                line.acknowledged = Some((asked.epoch, asked.up_to));
                Ok(Answered::default())
            }
        }
    }

    async fn on_checkpoint(
        &self,
        asked: v1::CheckpointRequest,
        answer: v1::CheckpointResponse,
    ) -> Result<Answered, Error> {
        // It has just been shown ours; and no device moves its ratchets as often as that.
        if answer.highest < asked.counter || answer.highest > MOST_CHECKPOINT {
            return Err(CallError::BadAnswer.into());
        }
        let rolled_back = self
            .step(Commit::Checkpoint, move |step| {
                upkeep::checkpoint(step, answer.highest)
            })
            .await?;
        let mut line = self.inner.line();
        line.checkpoint_confirmed = true;
        if rolled_back {
            line.keys_at_relay = Some(0);
        }
        Ok(Answered::default())
    }

    async fn on_head(&self, answer: v1::HeadResponse) -> Result<Answered, Error> {
        let accepted = self
            .step(Commit::Head, move |step| {
                let accepted = step
                    .memory
                    .directory
                    .accept_head(step.connection, &answer)?;
                let head = step.memory.directory.head(step.connection)?;
                if accepted.policy_changed {
                    hold::decide_anew(step.connection)?;
                }
                if let Some((version, _)) = head.filter(|_| accepted.head_changed) {
                    // Whoever was listed a moment ago offers keys now.
                    step.memory.keyless.forget_all();
                    outbox::look_again(step)?;
                    step.emit(&Event::DirectoryChanged { version })?;
                }
                let policy = step.memory.directory.policy(step.connection)?;
                Ok((
                    head.map_or(0, |(version, _)| version),
                    policy.head_refresh(),
                    step.memory.directory.validity(step.connection)?,
                ))
            })
            .await;
        match accepted {
            Ok((version, refresh, validity)) => {
                if let Some((issued_at, expires_at)) = validity {
                    let at = self.inner.clock.monotonic();
                    self.inner.clocks().head(issued_at, expires_at, at);
                }
                let mut line = self.inner.line();
                // Unknown when an earlier process has asked: then it is asked for again.
                line.head_confirmed_at = line.head_asked_at;
                line.head_refresh = refresh;
                // A hint is a hint: what the relay proves is what there is.
                line.head_hint = version;
                Ok(Answered::default())
            }
            Err(error) => {
                self.report_directory(&error).await?;
                Err(error)
            }
        }
    }

    /// A directory that is not believed is worth an event and an audit record.
    async fn report_directory(&self, error: &Error) -> Result<(), Error> {
        let Error::Directory(cause) = error else {
            return Ok(());
        };
        let action = if matches!(cause, TrustError::Fork(_)) {
            Action::DirectoryForked
        } else {
            Action::DirectoryRefused
        };
        let code = error.code();
        self.step(Commit::HeadRefused, move |step| {
            step.audit(action, code.as_bytes())?;
            step.emit(&Event::DirectoryRefused { code })
        })
        .await
    }

    async fn on_offer(
        &self,
        offer: v1::UploadKeysRequest,
        answer: v1::UploadKeysResponse,
    ) -> Result<Answered, Error> {
        // A relay that counts none of them must not be offered more without end.
        let offered = u32::try_from(offer.one_time_keys.len()).unwrap_or(u32::MAX);
        self.step(Commit::KeysOffered, move |step| {
            upkeep::keys_offered(step, &offer)
        })
        .await?;
        let unclaimed = answer.unclaimed_one_time_keys.max(offered);
        self.inner.line().keys_at_relay = Some(unclaimed);
        Ok(Answered::default())
    }

    async fn on_entries(
        &self,
        asked: v1::EntriesRequest,
        answer: v1::EntriesResponse,
    ) -> Result<Answered, Error> {
        if answer.head_version != asked.head_version {
            // Published in between: the new head comes first, then the entries are asked for again.
            self.note_head(answer.head_version);
            self.look(move |view| upkeep::ask_anew(view, asked)).await?;
            return Ok(Answered {
                newer_head: true,
                ..Answered::default()
            });
        }
        self.step(Commit::Entries, move |step| {
            step.memory
                .directory
                .accept_entries(step.connection, &asked.queries, &answer)
        })
        .await?;
        Ok(Answered::default())
    }

    async fn on_claim(
        &self,
        asked: v1::ClaimKeysRequest,
        answer: v1::ClaimKeysResponse,
    ) -> Result<Answered, Error> {
        let peers = self
            .look(move |view| {
                hold_keys::claimed(view, &asked.hold_device_ids, &answer);
                upkeep::check_claimed(view, &asked.device_ids, &answer)
            })
            .await?;
        // Key agreement on every core, outside the transaction.
        let identity = self.inner.identity.clone();
        let started = blocking(move || Ok(identity.start_sessions(peers))).await?;
        self.step(Commit::Sessions, move |step| {
            upkeep::sessions_started(step, started)
        })
        .await?;
        Ok(Answered::default())
    }

    async fn on_send(
        &self,
        sent: &v1::SendRequest,
        answer: v1::SendResponse,
    ) -> Result<Answered, Error> {
        let ids: HashSet<&Vec<u8>> = sent.submissions.iter().map(|s| &s.envelope_id).collect();
        let told = answer.outcomes.iter();
        // None are known when an earlier process has sent them.
        let posted = told
            .filter(|told| ids.is_empty() || ids.contains(&told.envelope_id))
            .count();
        if posted == 0 && !ids.is_empty() {
            // Posting them again at once would never end.
            return Err(CallError::BadAnswer.into());
        }
        self.note_head(answer.head_version);
        self.step(Commit::Posted, move |step| posting::posted(step, &answer))
            .await?;
        Ok(Answered {
            posted,
            ..Answered::default()
        })
    }

    /// What the relay will never take must not hold up what it would take.
    async fn on_send_refused(
        &self,
        sent: v1::SendRequest,
        refusal: Refusal,
    ) -> Result<Answered, Error> {
        let held = sent.submissions.iter().any(|one| one.deposit.is_some());
        // Only a quota of deposits says how many there may be.
        if held && refusal.code == RelayCode::Quota && refusal.limit.is_some() {
            self.step(Commit::Posted, move |step| {
                posting::too_much_held(step, &sent)
            })
            .await?;
            return Ok(Answered::default());
        }
        if !posting::blames_what_is_sent(&refusal.code) || sent.submissions.is_empty() {
            return Err(CallError::Refused(refusal).into());
        }
        tracing::warn!(
            code = refusal.code.as_str(),
            "the relay refuses what is sent"
        );
        self.step(Commit::Posted, move |step| posting::refused(step, &sent))
            .await?;
        Ok(Answered::default())
    }

    async fn on_withdraw(
        &self,
        asked: v1::WithdrawRequest,
        answer: Result<v1::WithdrawResponse, Error>,
    ) -> Result<Answered, Error> {
        let devices = match answer {
            Ok(answer) => answer.withdrawn_devices,
            // Asking the same again would not help; the recall itself is on its way.
            Err(Error::Call(CallError::Refused(refusal)))
                if posting::blames_what_is_sent(&refusal.code) =>
            {
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        self.step(Commit::Withdrawn, move |step| {
            recalling::withdrawn(step, &asked.envelope_id, &devices)
        })
        .await?;
        Ok(Answered::default())
    }

    async fn on_set_availability(
        &self,
        asked: v1::SetAvailabilityRequest,
        answer: Result<v1::SetAvailabilityResponse, Error>,
    ) -> Result<Answered, Error> {
        let answer = match answer {
            Ok(answer) => Some(answer),
            // An older relay does not know the call, and none takes the same bytes another time: it holds here.
            Err(Error::Call(CallError::Refused(refusal)))
                if !refusal.retryable() && refusal.code != RelayCode::Revoked =>
            {
                tracing::warn!(
                    code = refusal.code.as_str(),
                    "the relay is told of no availability"
                );
                None
            }
            Err(error) => return Err(error),
        };
        self.step(Commit::AvailabilityTold, move |step| {
            reaching::told(step, &asked, answer.as_ref())
        })
        .await?;
        Ok(Answered::default())
    }

    async fn on_reachability(
        &self,
        asked: v1::ReachabilityRequest,
        answer: Result<v1::ReachabilityResponse, Error>,
    ) -> Result<Answered, Error> {
        let answer = match answer {
            Ok(answer) => answer,
            // Nobody's message waits for what a relay does not answer.
            Err(Error::Call(CallError::Refused(refusal))) if refusal.code != RelayCode::Revoked => {
                v1::ReachabilityResponse::default()
            }
            Err(error) => return Err(error),
        };
        self.step(Commit::Reach, move |step| {
            reaching::answered(step, &asked, &answer)
        })
        .await?;
        Ok(Answered::default())
    }

    async fn on_receive(
        &self,
        asked: v1::ReceiveRequest,
        batch: v1::ReceiveResponse,
    ) -> Result<Answered, Error> {
        self.note_head(batch.head_version);
        self.hear_relay(batch.now_ms).await;
        {
            let mut line = self.inner.line();
            line.keys_at_relay = Some(batch.unclaimed_one_time_keys);
            line.drained = batch.envelopes.is_empty();
        }
        let newer_head = batch.head_version > asked.seen_head_version;
        if batch.envelopes.is_empty() {
            self.acknowledge_position(batch.epoch).await?;
            return Ok(Answered {
                newer_head,
                ..Answered::default()
            });
        }
        check_numbers(&asked, &batch)?;
        // Senders are judged by the newest directory: what came is fetched again under it.
        if newer_head && self.head_version().await? < batch.head_version {
            return Ok(Answered {
                needs_directory: true,
                newer_head,
                ..Answered::default()
            });
        }
        let renumbered = !asked.epoch.is_empty() && batch.epoch != asked.epoch;
        let mut answered = self.open_batch(batch).await?;
        answered.newer_head = newer_head;
        answered.renumbered = renumbered;
        Ok(answered)
    }

    /// Whoever kept what came may have ended before it told the relay, which then goes on keeping it and waking
    /// this device for it. When nothing more comes, the relay is told how far the mailbox has been read.
    async fn acknowledge_position(&self, epoch: Vec<u8>) -> Result<(), Error> {
        let (position, checkpoint) = self
            .look(|view| Ok((inbox::position(view)?, ratchets::counter(view.connection)?)))
            .await?;
        let (counted_in, up_to) = &position;
        if *counted_in != epoch || *up_to == 0 {
            return Ok(());
        }
        let mut line = self.inner.line();
        if line.acknowledged.as_ref() != Some(&position) {
            let (epoch, up_to) = position;
            line.acknowledge = Some(v1::AcknowledgeRequest {
                up_to,
                epoch,
                checkpoint,
            });
        }
        Ok(())
    }

    async fn open_batch(&self, batch: v1::ReceiveResponse) -> Result<Answered, Error> {
        let doubts = self.inner.line().doubts.clone();
        let attempts = self.inner.attempts.clone();
        let sequences: Vec<u64> = batch
            .envelopes
            .iter()
            .map(|envelope| envelope.sequence)
            .collect();
        let (epoch, more) = (batch.epoch.clone(), batch.more);
        let opened = self
            .step(Commit::Receive, move |step| {
                inbox::receive(step, &attempts, &batch, &doubts)
            })
            .await;
        if opened.as_ref().is_ok_and(|outcome| outcome.needs_directory) {
            return Ok(Answered {
                needs_directory: true,
                ..Answered::default()
            });
        }
        match &opened {
            Ok(outcome) => self.inner.attempts.end(outcome.dealt_with),
            // Caught, so that the app lives; for what was being opened it counts as a death.
            Err(Error::Store(StoreError::Sqlite(wardline_sqlite::Error::Panicked))) => {}
            Err(_) => self.inner.attempts.opened(),
        }
        let outcome = opened?;
        // The index is derived and catches up later: receiving never fails for it.
        if let Err(error) = self.take_up_arrivals().await {
            tracing::warn!(code = %error.code(), "the search index is behind");
        }
        let dealt_with = sequences
            .iter()
            .filter(|sequence| **sequence <= outcome.dealt_with)
            .count();
        let checkpoint = self.inner.store.read(ratchets::counter).await?;
        let mut line = self.inner.line();
        let before = std::mem::take(&mut line.doubts);
        let times = |sequence| {
            before
                .get(sequence)
                .map_or(1, |times| times.saturating_add(1))
        };
        line.doubts = outcome
            .doubtful
            .iter()
            .map(|sequence| (*sequence, times(sequence)))
            .collect();
        if dealt_with > 0 {
            let up_to = outcome.dealt_with;
            line.acknowledge = Some(v1::AcknowledgeRequest {
                up_to,
                epoch,
                checkpoint,
            });
        }
        Ok(Answered {
            dealt_with,
            // A relay that repeats itself must not keep a round running.
            more: !outcome.doubtful.is_empty() || (outcome.moved && (more || outcome.left)),
            ..Answered::default()
        })
    }

    pub(super) fn note_head(&self, version: u64) {
        let mut line = self.inner.line();
        line.head_hint = line.head_hint.max(version);
    }
}

pub(super) fn decode<C: RelayCall>(answer: Response) -> Result<C::Answer, Error> {
    Ok(answer.decode::<C>()?)
}

/// Envelopes are numbered after what was asked for, and the last number is said twice: a damaged one
/// must not acknowledge what never came.
fn check_numbers(asked: &v1::ReceiveRequest, batch: &v1::ReceiveResponse) -> Result<(), CallError> {
    let numbers = || batch.envelopes.iter().map(|envelope| envelope.sequence);
    let after = if batch.epoch == asked.epoch {
        asked.after
    } else {
        0
    };
    let sound = batch.epoch.len() == EPOCH_BYTES
        && numbers().min().is_some_and(|first| first > after)
        && numbers().max() == Some(batch.last_sequence)
        && i64::try_from(batch.last_sequence).is_ok();
    if sound {
        Ok(())
    } else {
        Err(CallError::BadAnswer)
    }
}

const EPOCH_BYTES: usize = 16;
const MOST_CHECKPOINT: u64 = 1 << 62;
