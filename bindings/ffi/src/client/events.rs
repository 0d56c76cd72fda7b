//! What the app is told, and the line to the relay.

use std::sync::Arc;

use wardline::{EventCursor, RequestId};
use wardline_org::Timestamp;

use super::Client;
use crate::{
    cancel::CancelToken,
    error::WardlineError,
    event::DeliveredEvent,
    host::transport::{RelayRequest, RelayResponse},
    ids::parse,
    runtime::{self, run_until},
};

/// What one round with the relay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct Round {
    /// Submissions the relay took.
    pub posted: u64,
    /// Envelopes dealt with.
    pub received: u64,
    /// Messages that still wait for a recipient's keys or for the directory.
    pub waiting: u64,
}

/// A signed call to the relay, for a host that carries calls itself. It is good for a few minutes.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PendingRequest {
    /// Names the call when its answer comes, in this process or in a later one.
    pub id: String,
    /// What to post.
    pub request: RelayRequest,
}

#[uniffi::export]
impl Client {
    /// Waits until there are events after a cursor (0 at first) and answers them, oldest first, at most
    /// `max`. They come again until they are confirmed.
    pub async fn next_events(
        &self,
        cursor: u64,
        max: u32,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Vec<DeliveredEvent>, WardlineError> {
        let core = self.core()?;
        let closing = self.closing().clone();
        let done = run_until(cancel, async move {
            tokio::select! {
                biased;
                () = closing.cancelled() => Err(WardlineError::closed()),
                events = core.next_events(EventCursor(cursor), max.max(1)) => Ok(all(events?)),
            }
        });
        self.or_closed(done.await)
    }

    /// The events after a cursor (0 at first) that are there now, oldest first.
    pub async fn events_from(
        &self,
        cursor: u64,
        max: u32,
    ) -> Result<Vec<DeliveredEvent>, WardlineError> {
        self.with(|core| async move { Ok(all(core.events_from(EventCursor(cursor), max).await?)) })
            .await
    }

    /// Confirms every event up to a cursor: they will not come again.
    pub async fn confirm_events(&self, cursor: u64) -> Result<(), WardlineError> {
        self.with(|core| async move { core.confirm_events(EventCursor(cursor)).await })
            .await
    }

    /// Starts the loop: messages arrive by long poll, what is sent leaves at once, failures are retried
    /// with growing pauses. Starting twice is starting once.
    pub fn start(&self) -> Result<(), WardlineError> {
        self.core()?.start_on(&runtime::handle()?);
        Ok(())
    }

    /// Stops the loop.
    pub fn stop(&self) -> Result<(), WardlineError> {
        self.core()?.stop();
        Ok(())
    }

    /// One full round: sends what can be sent, fetches everything that waits, sends what that made
    /// necessary. A round that is given up loses nothing: the next one goes on.
    pub async fn sync_once(
        &self,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Round, WardlineError> {
        let core = self.core()?;
        let done = run_until(cancel, async move {
            let round = core.sync_once().await?;
            Ok(Round {
                posted: round.posted as u64,
                received: round.received as u64,
                waiting: round.waiting as u64,
            })
        });
        self.or_closed(done.await)
    }

    /// Tells of everything that is due (the events `MessageReminder` and `AnswerOverdue`, notices of an inbox),
    /// and answers when to call again, in milliseconds since 1970, if anything waits. The loop and `sync_once` do
    /// it by themselves; an app that is about to be suspended asks, to set the system's alarm. Works while locked
    /// and without a line.
    pub async fn remind(&self) -> Result<Option<i64>, WardlineError> {
        self.with(|core| async move { Ok(core.remind().await?.map(Timestamp::as_millis)) })
            .await
    }

    /// What to ask the relay now, for a host that carries calls itself.
    pub async fn pending_requests(&self) -> Result<Vec<PendingRequest>, WardlineError> {
        self.with(|core| async move {
            let pending = core.pending_requests().await?;
            Ok(pending
                .into_iter()
                .map(|pending| PendingRequest {
                    id: pending.id.to_string(),
                    request: pending.request.into(),
                })
                .collect())
        })
        .await
    }

    /// Takes in the answer to a pending request.
    pub async fn complete(&self, id: String, response: RelayResponse) -> Result<(), WardlineError> {
        let id: RequestId = parse("id", &id)?;
        self.with(|core| async move { core.complete(id, response.into()).await })
            .await
    }
}

fn all(events: Vec<wardline::Delivered>) -> Vec<DeliveredEvent> {
    events.into_iter().map(DeliveredEvent::from).collect()
}
