//! A device in a process that only shows notifications: it receives, and cannot read.
//!
//! What the app holds is [`crate::client`]. Every method answers `WL-CLOSED` once the inbox was shut down.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use wardline::MessageRef;

use crate::{
    cancel::CancelToken,
    client::{AnyClock, config::ClientConfig, or_closed},
    draft::Priority,
    error::WardlineError,
    host::{Host, key_store::KeyStore, transport::Transport},
    ids::parse,
    runtime::{run, run_to_the_end, run_until},
};

/// What a notification extension or a worker holds: a device opened with the inbox key alone.
///
/// It may run beside the app's client on the same folder, in another process or in the same one. There is no
/// way to unlock it.
#[derive(uniffi::Object)]
pub struct Inbox {
    core: RwLock<Option<wardline::Inbox>>,
    host: Host,
    user: String,
    device: String,
}

/// A message that came and that nobody was told of yet.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct Notice {
    /// The message's reference: what `shown` takes, and what the app finds the message by. Not for the notification:
    /// it tells who writes how often.
    pub reference: String,
    /// Names the notification towards the platform: random, the same whenever this notice comes again.
    pub tag: String,
    /// How urgent it is.
    pub tier: Priority,
    /// When it came here, by this device's clock, in milliseconds since 1970.
    pub arrived_at_ms: i64,
    /// Its conversation, to group by; only where the policy allows the sender.
    pub conversation: Option<String>,
    /// Who wrote it; only where the policy allows it and the directory proves it.
    pub sender: Option<NoticeSender>,
    /// 0 when it has just come; then how often it was repeated, because nobody has accepted a stat message.
    pub round: u32,
}

/// The author of a message, as the directory has them.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct NoticeSender {
    /// The person.
    pub user: String,
    /// Their name.
    pub display_name: String,
}

/// What an inbox has to tell.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Collected {
    /// The messages nobody was told of yet, also those of earlier calls and processes: the most urgent first.
    pub notices: Vec<Notice>,
    /// Everything that waited is here, and every sender was told.
    pub complete: bool,
    /// The stable code of why not, such as `WL-NET-UNREACHABLE`; none when it was the deadline.
    pub failure: Option<String>,
}

#[uniffi::export]
impl Inbox {
    /// Opens a device that was enrolled in this folder, with the inbox key alone.
    #[uniffi::constructor]
    pub async fn open(
        config: ClientConfig,
        transport: Arc<dyn Transport>,
        key_store: Arc<dyn KeyStore>,
    ) -> Result<Arc<Self>, WardlineError> {
        Self::open_by(config, transport, key_store, None).await
    }

    /// The person this device belongs to.
    pub fn user(&self) -> String {
        self.user.clone()
    }

    /// This device.
    pub fn device(&self) -> String {
        self.device.clone()
    }

    /// Takes what waits at the relay, tells the senders that it is on this device, and answers what nobody was
    /// told of yet. Ends within so many milliseconds, whatever the network does; what came by then is answered.
    ///
    /// A notice is answered again, in whatever process, until `shown` names it, a person reads the message, or
    /// the app confirms its event.
    pub async fn collect(
        &self,
        within_ms: u64,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Collected, WardlineError> {
        let core = self.core()?;
        let done = run_until(cancel, async move {
            Ok(core.collect(Duration::from_millis(within_ms)).await?.into())
        });
        done.await
            .map_err(|error| or_closed(&self.host.closing, error))
    }

    /// Notes that notifications of these messages, by their references, were shown: they are not answered
    /// again. The messages stay unread, and nobody is told.
    pub async fn shown(&self, references: Vec<String>) -> Result<(), WardlineError> {
        let references = references
            .iter()
            .map(|reference| parse("references", reference));
        let references: Vec<MessageRef> = references.collect::<Result<_, _>>()?;
        self.with(|core| async move { core.shown(references).await })
            .await
    }

    /// Finishes what is being written and lets go of every file, so that the system may suspend the process.
    pub async fn suspend(&self) -> Result<(), WardlineError> {
        self.with(|core| async move { core.suspend().await }).await
    }

    /// Takes up the files again after `suspend`.
    pub async fn resume(&self) -> Result<(), WardlineError> {
        self.with(|core| async move { core.resume().await }).await
    }

    /// Finishes what is being written, closes the store and lets go of everything that belongs to the host. A
    /// second call does nothing.
    pub async fn shutdown(&self) -> Result<(), WardlineError> {
        let core = self
            .core
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(core) = core else {
            return Ok(());
        };
        self.host.closing.cancel();
        let host = self.host.clone();
        // To the end, whoever waits for it: the host's objects must be let go of.
        run_to_the_end(async move {
            let closed = core.close().await;
            host.release();
            Ok(closed?)
        })
        .await
    }

    /// Whether it was shut down.
    pub fn is_shut_down(&self) -> bool {
        self.host.closing.is_cancelled()
    }
}

impl Inbox {
    pub(crate) async fn open_by(
        config: ClientConfig,
        transport: Arc<dyn Transport>,
        key_store: Arc<dyn KeyStore>,
        clock: AnyClock,
    ) -> Result<Arc<Self>, WardlineError> {
        let (config, host) = config.build(transport, key_store, clock)?;
        let opened = run(async move { Ok(wardline::Inbox::open(config).await?) }).await;
        if opened.is_err() {
            host.release();
        }
        let core = opened?;
        Ok(Arc::new(Self {
            user: core.user().to_string(),
            device: core.device().to_string(),
            core: RwLock::new(Some(core)),
            host,
        }))
    }

    fn core(&self) -> Result<wardline::Inbox, WardlineError> {
        let core = self.core.read().unwrap_or_else(PoisonError::into_inner);
        core.clone().ok_or_else(WardlineError::closed)
    }

    async fn with<F>(&self, call: impl FnOnce(wardline::Inbox) -> F) -> Result<(), WardlineError>
    where
        F: Future<Output = Result<(), wardline::Error>> + Send + 'static,
    {
        let work = call(self.core()?);
        run(async move { Ok(work.await?) })
            .await
            .map_err(|error| or_closed(&self.host.closing, error))
    }
}

/// The host dropped its last reference: its objects are let go of.
impl Drop for Inbox {
    fn drop(&mut self) {
        self.host.release();
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

/// Shows the reference and the tier, and nobody's name.
impl std::fmt::Debug for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notice")
            .field("reference", &self.reference)
            .field("tier", &self.tier)
            .finish_non_exhaustive()
    }
}

/// Shows nobody's name.
impl std::fmt::Debug for NoticeSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NoticeSender").finish_non_exhaustive()
    }
}

impl From<wardline::Collected> for Collected {
    fn from(collected: wardline::Collected) -> Self {
        Self {
            notices: collected.notices.into_iter().map(Notice::from).collect(),
            complete: collected.complete,
            failure: collected.failure.map(|error| error.code()),
        }
    }
}

impl From<wardline::Notice> for Notice {
    fn from(notice: wardline::Notice) -> Self {
        Self {
            reference: notice.reference.to_string(),
            tag: notice.tag,
            tier: notice.priority.into(),
            arrived_at_ms: notice.arrived_at.as_millis(),
            conversation: notice.conversation.map(|id| id.to_string()),
            sender: notice.sender.map(|sender| NoticeSender {
                user: sender.user.to_string(),
                display_name: sender.display_name,
            }),
            round: notice.round,
        }
    }
}
