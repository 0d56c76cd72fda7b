//! The line to the relay: single rounds, and the loop that runs them.
//!
//! The outgoing way makes one ask after the other (see [`super::asks`]) until nothing is left to ask.
//! The incoming way fetches, opens, and acknowledges only what is committed. A host that must carry
//! calls itself does the same through [`super::requests`].

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::{runtime::Handle, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use wardline_org::{Request, Response, transport::CallError};

use super::{
    Client,
    asks::{Answered, Ask},
};
use crate::error::Error;

/// What one round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Round {
    /// Submissions the relay took.
    pub posted: usize,
    /// Envelopes dealt with.
    pub received: usize,
    /// Messages that still wait for a recipient's keys or for the directory.
    pub waiting: usize,
}

impl Client {
    /// One full round: reminds ([`Client::remind`]), sends what can be sent, fetches everything that waits,
    /// sends what that made necessary (receipts). For background tasks and tests; the loop does the same for ever.
    ///
    /// # Errors
    /// Those of the relay and of the store; `WL-NET-BAD-ANSWER` also when the relay numbers anew what
    /// it keeps for this device, over and over: a round ends. [`Error::Wiped`] when the organization had this
    /// device erased; what is left to do of that is done first.
    pub async fn sync_once(&self) -> Result<Round, Error> {
        let round = self.round().await;
        self.settled(round).await
    }

    async fn round(&self) -> Result<Round, Error> {
        // First, because it needs no line.
        self.expire().await?;
        self.remind().await?;
        let before = self.send_round().await?;
        let mut round = self.collect().await?;
        round.posted += before.posted;
        Ok(round)
    }

    /// What [`Client::sync_once`] does after it has sent: fetches everything that waits, sends what that
    /// made necessary.
    pub(super) async fn collect_once(&self) -> Result<Round, Error> {
        let round = self.collect().await;
        self.settled(round).await
    }

    /// Whoever learns that this device is wiped does what is left to do of that.
    async fn settled(&self, round: Result<Round, Error>) -> Result<Round, Error> {
        if matches!(round, Err(Error::Wiped)) {
            self.settle_wipe().await;
        }
        round
    }

    async fn collect(&self) -> Result<Round, Error> {
        let incoming = {
            let _hurry = Hurry::on(&self.inner.hurry);
            self.inner.incoming.lock().await
        };
        let (mut dealt_with, mut renumbered) = (0, false);
        for _ in 0..MOST_FETCHES {
            let received = self.fetch(Duration::ZERO).await?;
            dealt_with += received.dealt_with;
            if received.renumbered && std::mem::replace(&mut renumbered, true) {
                return Err(CallError::BadAnswer.into());
            }
            if !received.more {
                break;
            }
        }
        drop(incoming);
        let after = self.send_round().await?;
        Ok(Round {
            received: dealt_with,
            ..after
        })
    }

    /// Starts the loop on the current runtime, or else on that of [`Config::runtime`]: messages arrive
    /// by long poll, what is sent leaves at once, failures are retried with growing pauses. Starting
    /// twice is starting once; after its runtime has ended it can be started on another. It runs until
    /// [`Client::stop`] or [`Client::close`], also when the app holds no client any more.
    ///
    /// # Errors
    /// [`Error::NoRuntime`] when there is no runtime.
    ///
    /// [`Config::runtime`]: super::Config::runtime
    pub fn start(&self) -> Result<(), Error> {
        let current = Handle::try_current().ok();
        let runtime = current.or_else(|| self.inner.runtime.clone());
        self.start_on(&runtime.ok_or(Error::NoRuntime)?);
        Ok(())
    }

    /// [`Client::start`] on a runtime of the host's. It needs its timer, and what the transport needs.
    pub fn start_on(&self, runtime: &Handle) {
        let mut running = self
            .inner
            .running
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if running.as_ref().is_some_and(Running::is_alive) {
            return;
        }
        // Some tasks may be left of a loop that broke.
        if let Some(broken) = running.take() {
            broken.stop.cancel();
        }
        let stop = CancellationToken::new();
        *running = Some(Running {
            tasks: [
                runtime.spawn(self.clone().keep_sending(stop.clone())),
                runtime.spawn(self.clone().keep_receiving(stop.clone())),
                runtime.spawn(self.clone().keep_reminding(stop.clone())),
                runtime.spawn(self.clone().keep_expiring(stop.clone())),
            ],
            stop,
        });
    }

    /// Stops the loop. What is on its way to the disk arrives there; calls under way are dropped.
    pub fn stop(&self) {
        let running = self
            .inner
            .running
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        if let Some(running) = running {
            running.stop.cancel();
        }
    }

    async fn keep_sending(self, stop: CancellationToken) {
        let mut pauses = pauses();
        loop {
            let done = tokio::select! {
                () = stop.cancelled() => return,
                done = self.send_round() => done,
            };
            let pause = match done {
                Ok(_) => {
                    pauses = self::pauses();
                    self.sending_pause().await
                }
                Err(Error::Wiped) if self.settle_wipe().await => return,
                Err(error) => {
                    tracing::debug!(code = %error.code(), "a sending round failed");
                    pauses.next().unwrap_or(LONGEST_PAUSE)
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.inner.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn keep_receiving(self, stop: CancellationToken) {
        let mut pauses = pauses();
        loop {
            let done = tokio::select! {
                () = stop.cancelled() => return,
                done = self.receive_round(LONG_POLL) => done,
            };
            match done {
                Ok(received) => {
                    pauses = self::pauses();
                    if received.dealt_with > 0 || received.newer_head {
                        self.inner.wake.notify_one();
                    }
                }
                Err(Error::Wiped) if self.settle_wipe().await => return,
                Err(error) => {
                    tracing::debug!(code = %error.code(), "a receiving round failed");
                    let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(pause) => {}
                    }
                }
            }
        }
    }

    /// How long the loop may rest when nobody wakes it: until a device without keys is worth asking again.
    async fn sending_pause(&self) -> Duration {
        let next = self.look(|view| Ok(view.memory.keyless.next(view.now())));
        let next = next.await.ok().flatten().unwrap_or(SENDING_PAUSE);
        next.clamp(FIRST_PAUSE, SENDING_PAUSE)
    }

    /// Asks for what is missing and posts what is sealed, until nothing is left to ask.
    async fn send_round(&self) -> Result<Round, Error> {
        let _one_at_a_time = self.inner.outgoing.lock().await;
        let mut round = Round::default();
        self.purge_or_later().await;
        for _ in 0..MOST_ASKS {
            let Some(ask) = self.next_ask().await? else {
                break;
            };
            round.posted += self.make(ask).await?.posted;
        }
        round.waiting = self.seal().await?;
        Ok(round)
    }

    /// Fetches once, deals with what came and acknowledges it.
    async fn receive_round(&self, wait: Duration) -> Result<Answered, Error> {
        let _one_at_a_time = self.inner.incoming.lock().await;
        self.fetch(wait).await
    }

    /// What [`Client::receive_round`] does, for whoever has the incoming way.
    async fn fetch(&self, wait: Duration) -> Result<Answered, Error> {
        while let Some(checkpoint) = self.checkpoint_ask().await? {
            self.make(checkpoint).await?;
        }
        let ask = self.receive_ask(wait).await?;
        let mut answered = if wait.is_zero() {
            self.make(ask).await?
        } else {
            match self.poll(ask).await? {
                Some(answered) => answered,
                None => return Ok(Answered::default()),
            }
        };
        for _ in 0..MOST_DIRECTORY_ROUNDS {
            if !answered.needs_directory {
                break;
            }
            self.fetch_directory().await?;
            let again = self.receive_ask(Duration::ZERO).await?;
            answered = self.make(again).await?;
        }
        if answered.newer_head {
            // Otherwise the next long poll would end at once for the same reason.
            self.fetch_directory().await?;
        }
        let acknowledge = self.inner.line().acknowledge.clone();
        if let Some(acknowledge) = acknowledge {
            self.make(Ask::Acknowledge(acknowledge)).await?;
        }
        Ok(answered)
    }

    /// Brings head and wanted entries up to date.
    pub(super) async fn fetch_directory(&self) -> Result<(), Error> {
        for _ in 0..MOST_ASKS {
            let Some(ask) = self.directory_ask().await? else {
                break;
            };
            self.make(ask).await?;
        }
        Ok(())
    }

    /// Makes a call and takes in its answer.
    async fn make(&self, ask: Ask) -> Result<Answered, Error> {
        let opened = self.inner.line().opened;
        let request = self.sign(&ask)?;
        ask.kind().before();
        let answer = self.carry(request).await?;
        self.made(ask, answer, opened).await
    }

    /// [`Client::make`] for a call that waits for news; `None` when it was given up because somebody
    /// else wants the incoming way. What the relay was about to answer is fetched by them.
    async fn poll(&self, ask: Ask) -> Result<Option<Answered>, Error> {
        let opened = self.inner.line().opened;
        let request = self.sign(&ask)?;
        ask.kind().before();
        let mut hurry = self.inner.hurry.subscribe();
        let answer = tokio::select! {
            answer = self.carry(request) => answer?,
            Ok(_) = hurry.wait_for(|waiting| *waiting > 0) => return Ok(None),
        };
        Ok(Some(self.made(ask, answer, opened).await?))
    }

    async fn made(&self, ask: Ask, answer: Response, opened: u64) -> Result<Answered, Error> {
        ask.kind().after();
        if self.inner.line().opened != opened {
            // The file may be another one since: what the old one asked for is asked for anew.
            return Ok(Answered::default());
        }
        self.answered(ask, answer).await
    }

    /// The signed call of an ask.
    pub(super) fn sign(&self, ask: &Ask) -> Result<Request, Error> {
        let mut request = ask.request();
        self.inner
            .calls
            .sign(&mut request, self.inner.clock.now())?;
        Ok(request)
    }
}

/// The loop's tasks.
pub(super) struct Running {
    stop: CancellationToken,
    tasks: [JoinHandle<()>; 4],
}

impl Running {
    /// Whether all of them still run: their runtime may have ended without asking.
    fn is_alive(&self) -> bool {
        self.tasks.iter().all(|task| !task.is_finished())
    }
}

/// Somebody waits for the incoming way, until this is dropped.
struct Hurry<'a>(&'a watch::Sender<usize>);

impl<'a> Hurry<'a> {
    fn on(waiting: &'a watch::Sender<usize>) -> Self {
        waiting.send_modify(|waiting| *waiting = waiting.saturating_add(1));
        Self(waiting)
    }
}

impl Drop for Hurry<'_> {
    fn drop(&mut self) {
        self.0
            .send_modify(|waiting| *waiting = waiting.saturating_sub(1));
    }
}

fn pauses() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .build()
}

const LONG_POLL: Duration = Duration::from_secs(45);
/// What is sent wakes the loop at once; this is for what waits for time to pass.
const SENDING_PAUSE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Every ask gets what the one before was missing; a relay that never satisfies one ends the round.
const MOST_ASKS: usize = 1000;
/// What is left after so many fetches is fetched by the next round.
const MOST_FETCHES: usize = 1000;
const MOST_DIRECTORY_ROUNDS: usize = 8;
