//! What the machine wants to ask the relay; what an answer does is in [`super::replies`].
//!
//! An [`Ask`] is a call that has not been made: the rounds make it themselves, a host that carries
//! calls by its own means makes it through [`super::requests`]. Which ask is next depends only on the
//! state: nothing is sealed or opened before the checkpoint, nobody is sealed for before the head.

use std::time::Duration;

use wardline_org::Request;
use wardline_proto::v1;

use super::Client;
use crate::{
    engine::{
        custody, expiring, forwarding, inbox, outbox,
        points::{Call, Commit},
        posting, reaching, recalling, reseal,
        stopping::{self, HeldAnswer},
        upkeep,
    },
    error::Error,
    session::ratchets,
};

/// A call to be made.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    Checkpoint(v1::CheckpointRequest),
    Head(v1::HeadRequest),
    Offer(v1::UploadKeysRequest),
    Entries(v1::EntriesRequest),
    Claim(v1::ClaimKeysRequest),
    Send(v1::SendRequest),
    Held(HeldAnswer),
    Withdraw(v1::WithdrawRequest),
    Receive(v1::ReceiveRequest),
    Acknowledge(v1::AcknowledgeRequest),
    SetAvailability(v1::SetAvailabilityRequest),
    Reachability(v1::ReachabilityRequest),
}

/// What an answer changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Answered {
    /// Submissions the relay took.
    pub(super) posted: usize,
    /// Envelopes dealt with.
    pub(super) dealt_with: usize,
    /// More envelopes wait, or some are to be fetched again.
    pub(super) more: bool,
    /// Entries have to be fetched before what came can be opened.
    pub(super) needs_directory: bool,
    /// The relay has a newer head than we hold.
    pub(super) newer_head: bool,
    /// The relay has begun another numbering of what it keeps for us.
    pub(super) renumbered: bool,
}

impl Ask {
    /// What is asked.
    pub(super) fn kind(&self) -> Call {
        match self {
            Self::Checkpoint(_) => Call::Checkpoint,
            Self::Head(_) => Call::Head,
            Self::Offer(_) => Call::Offer,
            Self::Entries(_) => Call::Entries,
            Self::Claim(_) => Call::Claim,
            Self::Send(_) => Call::Send,
            Self::Held(_) => Call::Held,
            Self::Withdraw(_) => Call::Withdraw,
            Self::Receive(_) => Call::Receive,
            Self::Acknowledge(_) => Call::Acknowledge,
            Self::SetAvailability(_) => Call::SetAvailability,
            Self::Reachability(_) => Call::Reachability,
        }
    }

    /// Whether its answer may move a ratchet or the account.
    pub(super) fn moves_ratchets(&self) -> bool {
        matches!(self, Self::Offer(_) | Self::Claim(_) | Self::Receive(_))
    }

    /// The unsigned call.
    pub(super) fn request(&self) -> Request {
        match self {
            Self::Checkpoint(call) => Request::new(call),
            Self::Head(call) => Request::new(call),
            Self::Offer(call) => Request::new(call),
            Self::Entries(call) => Request::new(call),
            Self::Claim(call) => Request::new(call),
            Self::Send(call) => Request::new(call),
            Self::Held(HeldAnswer::Cancel(call)) => Request::new(call),
            Self::Held(HeldAnswer::Advance(call)) => Request::new(call),
            Self::Withdraw(call) => Request::new(call),
            Self::Receive(call) => Request::new(call),
            Self::Acknowledge(call) => Request::new(call),
            Self::SetAvailability(call) => Request::new(call),
            Self::Reachability(call) => Request::new(call),
        }
    }
}

impl Client {
    /// The next call of the outgoing way; `None` when there is nothing to ask for and nothing to post.
    pub(super) async fn next_ask(&self) -> Result<Option<Ask>, Error> {
        if let Some(ask) = self.checkpoint_ask().await? {
            return Ok(Some(ask));
        }
        if let Some(ask) = self.head_ask().await? {
            return Ok(Some(ask));
        }
        if let Some(ask) = self.offer_ask().await? {
            return Ok(Some(ask));
        }
        if let Some(call) = self.look(reaching::to_tell).await? {
            return Ok(Some(Ask::SetAvailability(call)));
        }
        self.seal().await?;
        if let Some(ask) = self.entries_ask().await? {
            return Ok(Some(ask));
        }
        let claim = self.look(|view| Ok(upkeep::keys_to_claim(view))).await?;
        if let Some(claim) = claim {
            return Ok(Some(Ask::Claim(claim)));
        }
        // What stops an alarm goes before everything else.
        let held = self.look(|view| {
            let checkpoint = ratchets::counter(view.connection)?;
            stopping::to_answer(view, checkpoint)
        });
        if let Some(held) = held.await? {
            return Ok(Some(Ask::Held(held)));
        }
        if let Some(call) = self.look(reaching::to_ask).await? {
            return Ok(Some(Ask::Reachability(call)));
        }
        let (submissions, checkpoint) = self
            .look(|view| Ok((posting::to_post(view)?, ratchets::counter(view.connection)?)))
            .await?;
        if !submissions.is_empty() {
            return Ok(Some(Ask::Send(v1::SendRequest {
                submissions,
                checkpoint,
            })));
        }
        let envelope = self.look(|view| recalling::to_withdraw(view)).await?;
        Ok(envelope.map(|envelope_id| Ask::Withdraw(v1::WithdrawRequest { envelope_id })))
    }

    /// What has to be answered before anything else is asked. To open what came moves ratchets too: each
    /// batch would hide one step that this store, if it is an old copy, has lost.
    pub(super) async fn checkpoint_ask(&self) -> Result<Option<Ask>, Error> {
        if self.inner.line().checkpoint_confirmed {
            return Ok(None);
        }
        let counter = self.inner.store.read(ratchets::counter).await?;
        Ok(Some(Ask::Checkpoint(v1::CheckpointRequest { counter })))
    }

    /// What of the directory is missing: the head, then entries.
    pub(super) async fn directory_ask(&self) -> Result<Option<Ask>, Error> {
        match self.head_ask().await? {
            Some(ask) => Ok(Some(ask)),
            None => self.entries_ask().await,
        }
    }

    /// The next call of the incoming way.
    pub(super) async fn receive_ask(&self, wait: Duration) -> Result<Ask, Error> {
        let ((epoch, after), seen_head_version) = self
            .look(|view| {
                let head = view.memory.directory.head(view.connection)?;
                Ok((
                    inbox::position(view)?,
                    head.map_or(0, |(version, _)| version),
                ))
            })
            .await?;
        let wait_ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        Ok(Ask::Receive(v1::ReceiveRequest {
            after,
            epoch,
            max: self.inner.limits.envelopes,
            max_bytes: self.inner.limits.bytes,
            wait_ms,
            seen_head_version,
        }))
    }

    /// Seals whatever can be sealed now; answers how many messages still wait.
    pub(super) async fn seal(&self) -> Result<usize, Error> {
        self.step(Commit::Seal, |step| {
            // What is over is sealed for nobody any more.
            expiring::expire(step)?;
            reseal::ask(step)?;
            reseal::answer(step)?;
            forwarding::settle(step)?;
            upkeep::seal_receipts(step)?;
            reaching::tell_own_devices(step)?;
            upkeep::seal_controls(step)?;
            custody::pass_on(step)?;
            outbox::seal_waiting(step)
        })
        .await
    }

    pub(super) async fn head_version(&self) -> Result<u64, Error> {
        self.look(|view| {
            let head = view.memory.directory.head(view.connection)?;
            Ok(head.map_or(0, |(version, _)| version))
        })
        .await
    }

    async fn head_ask(&self) -> Result<Option<Ask>, Error> {
        let held = self.head_version().await?;
        let hinted = self.inner.line().head_hint > held;
        if self.context().head_confirmed && !hinted {
            return Ok(None);
        }
        let request = self
            .look(|view| Ok(view.memory.directory.trust(view.connection)?.request()))
            .await?;
        self.inner.line().head_asked_at = Some(self.inner.clock.monotonic());
        Ok(Some(Ask::Head(request)))
    }

    async fn offer_ask(&self) -> Result<Option<Ask>, Error> {
        let (known, drained) = {
            let line = self.inner.line();
            (line.keys_at_relay, line.drained)
        };
        // Unknown since this open: what has not been confirmed is offered, and be it nothing, to learn.
        let at_relay = known.unwrap_or(u32::MAX);
        let offer = self
            .step(Commit::KeysMade, move |step| {
                upkeep::keys_to_offer(step, at_relay, drained)
            })
            .await?;
        Ok(match (offer, known) {
            (None, Some(_)) => None,
            (offer, _) => Some(Ask::Offer(offer.unwrap_or_default())),
        })
    }

    async fn entries_ask(&self) -> Result<Option<Ask>, Error> {
        let request = self
            .look(|view| {
                let mut wanted = std::mem::take(&mut view.memory.wanted_entries);
                if let Some(rest) = wanted.iter().nth(ENTRIES_AT_ONCE).cloned() {
                    view.memory.wanted_entries = wanted.split_off(&rest);
                }
                let queries = view.memory.directory.queries(view.connection, wanted)?;
                let head = view.memory.directory.head(view.connection)?;
                Ok(v1::EntriesRequest {
                    head_version: head.map_or(0, |(version, _)| version),
                    queries,
                })
            })
            .await?;
        Ok((!request.queries.is_empty()).then_some(Ask::Entries(request)))
    }
}

const ENTRIES_AT_ONCE: usize = 500;
