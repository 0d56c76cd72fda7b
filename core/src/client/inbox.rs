//! What a second process needs that shows notifications: a device that receives and cannot read.
//!
//! A notification extension (iOS) or a worker (Android) has some 24 MB and half a minute, and runs while
//! the phone is locked. An [`Inbox`] is opened with the inbox key alone; it takes what waits, confirms it
//! to the senders, and answers notices. There is no way to unlock one: no text ever comes out of it.
//!
//! Not its concern: what a notice may say and when it is gone ([`crate::message::notice`]), and what the
//! app shows, which an inbox leaves as it is.

use std::{pin::pin, time::Duration};

use tokio::{runtime::Handle, time::Sleep};
use wardline_org::{DeviceId, UserId};

use super::{
    Client,
    config::{Config, Limits},
    line,
};
use crate::{
    engine::points::Commit,
    error::Error,
    id::MessageRef,
    message::{Notice, notice},
};

/// A device in a process that only shows notifications.
///
/// It may run beside the app's [`Client`] on the same folder, in another process or in the same one, and
/// is made from the same [`Config`]. The app's events, unread counts and timelines are as if the app itself
/// had received.
///
/// ```
/// # use std::time::Duration;
/// # async fn extension(config: wardline::Config) -> Result<(), wardline::Error> {
/// use wardline::{Inbox, Priority};
///
/// let inbox = Inbox::open(config).await?;
/// // The system gives an extension thirty seconds.
/// let collected = inbox.collect(Duration::from_secs(20)).await?;
/// let mut shown = Vec::new();
/// for notice in collected.notices {
///     let title = match (notice.priority, &notice.sender) {
///         (Priority::Stat, Some(sender)) => format!("STAT: {}", sender.display_name),
///         (Priority::Stat, None) => "STAT message".to_owned(),
///         _ => "New message".to_owned(),
///     };
///     // Hand it to the system under `notice.tag`, then:
/// #   let _ = (title, notice.tag);
///     shown.push(notice.reference);
/// }
/// inbox.shown(shown).await?;
/// inbox.close().await
/// # }
/// ```
#[derive(Clone)]
pub struct Inbox {
    /// Locked for ever: nobody else has it.
    client: Client,
}

/// What an inbox has to tell.
#[derive(Debug, Clone)]
pub struct Collected {
    /// The messages nobody was told of yet, also those of earlier rounds and processes: the most urgent
    /// first, then those that came first. At most 500; the others come once these were shown.
    pub notices: Vec<Notice>,
    /// Everything that waited is here, and every sender was told.
    pub complete: bool,
    /// Why not, if it was not the deadline: the relay could not be asked, or its answer not believed.
    pub failure: Option<Error>,
}

impl Inbox {
    /// Opens a device that was enrolled in this folder, with the inbox key alone.
    ///
    /// # Errors
    /// Those of [`Client::open`].
    pub async fn open(config: Config) -> Result<Self, Error> {
        let client = Client::open_within(config, SMALL).await?;
        Ok(Self { client })
    }

    /// Takes what waits at the relay, tells the senders that it is on this device, and answers what nobody
    /// was told of yet.
    ///
    /// Ends `within` this time, whatever the network does, unless the disk is slower than that; what came
    /// by then is kept and answered. A notice is answered again, by the next call in whatever process, until
    /// [`Inbox::shown`] names it, a person reads the message on any device, or the app confirms the event that
    /// announced it. One of a stat message comes once more with every round of reminders
    /// ([`Client::remind`]), until somebody accepts it or this person answers. While the person does not want to be
    /// disturbed ([`Client::set_availability`]) only those of stat messages are answered; the others come afterwards.
    ///
    /// # Errors
    /// `WL-RELAY-REVOKED` when the organization has revoked this device; those of the store;
    /// [`Error::NoRuntime`] when neither the caller nor [`Config::runtime`] has a tokio runtime with a timer.
    /// What goes wrong on the line is in the answer, so that what came before is shown.
    pub async fn collect(&self, within: Duration) -> Result<Collected, Error> {
        let deadline = pin!(self.deadline(within)?);
        let ended = tokio::select! {
            biased;
            round = self.client.collect_once() => Some(round),
            () = deadline => None,
        };
        let (complete, failure) = match ended {
            Some(Ok(_)) => (true, None),
            Some(Err(error)) if line::is_at_fault(&error) => (false, Some(error)),
            Some(Err(error)) => return Err(error),
            None => (false, None),
        };
        if let Some(error) = &failure {
            tracing::debug!(code = %error.code(), "the inbox did not get everything");
        }
        self.client.expire_or_later().await;
        self.client.remind().await?;
        let latest = self.client.latest();
        let store = &self.client.inner.store;
        let (us, now) = (self.user().clone(), self.client.inner.clock.now());
        let notices = store
            .read(move |connection| notice::pending(connection, &us, now, latest, MOST_NOTICES));
        Ok(Collected {
            notices: notices.await?,
            complete,
            failure,
        })
    }

    /// Notes that notifications of these messages were shown: they are not answered again. Unlike a reading
    /// it tells nobody, and the messages stay unread. Names of no message here are passed over.
    ///
    /// # Errors
    /// Those of writing the store.
    pub async fn shown(&self, messages: Vec<MessageRef>) -> Result<(), Error> {
        self.client
            .step(Commit::Shown, move |step| {
                for message in messages {
                    notice::shown(step.connection, message)?;
                }
                Ok(())
            })
            .await
    }

    /// The person this device belongs to.
    pub fn user(&self) -> &UserId {
        self.client.user()
    }

    /// This device.
    pub fn device(&self) -> DeviceId {
        self.client.device()
    }

    /// [`Client::suspend`].
    pub async fn suspend(&self) -> Result<(), Error> {
        self.client.suspend().await
    }

    /// [`Client::resume`].
    pub async fn resume(&self) -> Result<(), Error> {
        self.client.resume().await
    }

    /// Finishes what is being written and closes for good, this inbox and every clone of it.
    pub async fn close(&self) -> Result<(), Error> {
        self.client.close().await
    }

    fn deadline(&self, within: Duration) -> Result<Sleep, Error> {
        if Handle::try_current().is_ok() {
            return Ok(tokio::time::sleep(within));
        }
        let runtime = self.client.inner.runtime.as_ref().ok_or(Error::NoRuntime)?;
        let _inside = runtime.enter();
        Ok(tokio::time::sleep(within))
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox")
            .field("device", &self.device())
            .finish_non_exhaustive()
    }
}

/// Every byte that is fetched is in memory several times over while it is opened and kept: as an answer, as
/// a content, sealed again, and in pages of the store. A single envelope has a mebibyte at the most.
const SMALL: Limits = Limits {
    envelopes: 32,
    bytes: 512 * 1024,
    cache: 512,
};
const MOST_NOTICES: u32 = 500;
