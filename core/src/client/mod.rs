//! The handle an app holds.
//!
//! A [`Client`] is one device of one person: its store, its keys, its line to the relay. It is cheap
//! to clone and safe to share; every method may be called from any thread. Commands are durable when
//! they answer; the loop ([`Client::start`]) or single rounds ([`Client::sync_once`]) carry them.
//!
//! * `mod.rs`: enrolling, opening, closing; [`config`]: what that needs.
//! * [`lock`]: who may read. [`messages`]: writing and reading; [`finding`]: and finding again.
//!   [`devices`]: the person's own, and vouching for one.
//! * [`purging`]: that nothing is left of what was taken back. [`expiring`]: or is over, by the [`clocks`]. [`ending`]: revoked, or ordered to erase itself.
//! * [`steps`]: asking the engine. [`asks`]: what to ask the relay; [`replies`]: what its answers do; [`line`]: what is known of it.
//!   [`sync`]: the rounds and the loop; [`requests`]: the same for
//!   hosts that carry calls themselves. [`reminding`]: giving notice again, on time. [`reach`]: who can be reached.
//!   [`live`], [`open_list`]: views that follow; [`veil`]: what they show of what is over. [`inbox`]: what a second process needs.

mod amending;
mod asks;
mod choosing;
mod clocks;
mod config;
mod devices;
mod ending;
mod escalation;
mod expiring;
mod finding;
mod forwarding;
mod inbox;
mod index;
mod line;
mod live;
mod lock;
mod messages;
mod open_list;
mod proof;
mod purging;
mod push;
mod reach;
mod reminding;
mod replies;
mod requests;
mod roles;
mod steps;
mod structured;
mod sync;
mod veil;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use rusqlite::{Connection, OptionalExtension, params};
use tokio::{
    runtime::Handle,
    sync::{Notify, broadcast, watch},
};
use wardline_org::{
    Clock, DeviceId, OrgId, Request, Response, Signer, Transport, UserId,
    call::{CallSigner, Caller},
    transport::{CallError, RelayCall},
    trust::Trust,
};
use wardline_proto::{Message as _, v1};

pub use config::Config;
pub use devices::OwnDevice;
pub(crate) use ending::NOT_BELIEVED;
pub use inbox::{Collected, Inbox};
use line::Line;
pub use live::{ConversationList, ConversationListChange, Timeline, TimelineChange};
pub use open_list::{OpenList, OpenListChange};
pub use requests::{PendingRequest, RequestId};
pub use sync::Round;

use self::config::Limits;
use crate::{
    audit::{self, Action},
    directory,
    engine::{
        Changes, Memory,
        attempt::Attempts,
        points::{Beside, Commit},
    },
    error::Error,
    session::identity::DeviceIdentity,
    store::{self, Store, StoreError, search::SearchIndex},
    vault::{KeyStore, Passphrase, ReadingKeys, ReadingPublicKey, Vault},
};

/// One device of one person. Cloning shares it.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store<Memory>,
    vault: Vault,
    folder: PathBuf,
    identity: DeviceIdentity,
    reading_public: ReadingPublicKey,
    unlocked: RwLock<Option<Unlocked>>,
    /// How often it was locked; changes only while `unlocked` is held for writing.
    locks: AtomicU64,
    calls: CallSigner,
    transport: Arc<dyn Transport>,
    runtime: Option<Handle>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    changes: broadcast::Sender<Changes>,
    attempts: Attempts,
    /// What was heard of time.
    heard: Mutex<clocks::Heard>,
    line: Mutex<Line>,
    /// One round at a time on each way.
    outgoing: tokio::sync::Mutex<()>,
    incoming: tokio::sync::Mutex<()>,
    /// How many wait for the incoming way while the loop may be waiting for news on it.
    hurry: watch::Sender<usize>,
    wake: Notify,
    /// What a wipe has condemned is erased.
    erased: tokio::sync::Mutex<bool>,
    running: Mutex<Option<sync::Running>>,
    /// One at a time brings the search index up to date, or takes words out of it.
    indexing: tokio::sync::Mutex<()>,
}

/// What is there while a person reads.
#[derive(Clone)]
struct Unlocked {
    keys: Arc<ReadingKeys>,
    search: Arc<SearchIndex>,
}

impl Client {
    /// Makes a new device of a person: keys, store, and a request to the organization to list it.
    ///
    /// The `ticket` is the one-use JWT that the organization's backend minted for this person. The
    /// device can receive as soon as the organization has published a directory with it; until then
    /// [`Client::sync_once`] answers an error. The client is unlocked.
    ///
    /// When the relay could not be asked, or refused the ticket, call it again on the same folder with
    /// the same passphrase, and with another ticket if this one was refused: the device stays the same.
    ///
    /// A folder whose device was wiped is free for a new device, with a new ticket, once the relay has the
    /// receipt of the wipe; it is posted first.
    ///
    /// # Errors
    /// [`Error::AlreadyEnrolled`] when the folder holds another person's device or one that is listed;
    /// [`Error::Wiped`] when the receipt of a wipe could not be posted; the relay's refusal of the ticket.
    pub async fn enroll(
        config: Config,
        user: UserId,
        label: &str,
        ticket: &str,
        passphrase: Passphrase,
    ) -> Result<Self, Error> {
        let config = config.in_runtime();
        ending::leave_wiped(&config).await?;
        let (config, keys, inner, begun) = blocking(move || {
            std::fs::create_dir_all(&config.folder).map_err(wardline_sqlite::Error::from)?;
            let vault = Vault::at(&config.folder, Arc::clone(&config.key_store));
            let begun = vault.exists()?;
            let (inbox, made) = if begun {
                (lock::settled_keys(&vault, &config.folder)?, None)
            } else {
                Beside::Vault.before();
                let (inbox, reading) = vault.create(&passphrase, config.passphrase_cost)?;
                Beside::Vault.after();
                (inbox, Some(reading))
            };
            let (changes, _) = broadcast::channel(CHANGES_KEPT);
            let memory = Memory::new(changes.clone());
            let store = Store::open(&config.folder, inbox.store, memory)?;
            let begun = store.read_blocking(|connection| unlisted(connection, &user))?;
            let reading = match made {
                Some(reading) => reading,
                None => vault.unlock(&passphrase)?.keys,
            };
            let identity = begun
                .clone()
                .unwrap_or_else(|| DeviceIdentity::generate(config.organization.clone(), user));
            let inner = Inner::new(&config, store, vault, identity, inbox.reading, changes);
            Ok((config, reading, inner, begun.is_some()))
        })
        .await?;
        let client = Self {
            inner: Arc::new(inner),
        };
        if !begun {
            client.write_identity(&config, label).await?;
        }
        let keeper = client.clone();
        let locks = client.inner.locks();
        blocking(move || keeper.inner.hold(keys, locks)).await?;
        client.request_listing(ticket).await?;
        Ok(client)
    }

    /// Opens a device that was enrolled in this folder. The client is locked: it receives, and
    /// nobody can read.
    ///
    /// # Errors
    /// [`Error::NotEnrolled`] when the folder holds none; [`Error::Wiped`] when its device was wiped, after
    /// what was left to do of that; what the vault and the store refuse.
    pub async fn open(config: Config) -> Result<Self, Error> {
        Self::open_within(config, Limits::APP).await
    }

    /// [`Client::open`], holding at once what `limits` says.
    async fn open_within(config: Config, limits: Limits) -> Result<Self, Error> {
        let config = config.in_runtime();
        ending::refuse_wiped(&config).await?;
        let inner = blocking(move || {
            let vault = Vault::at(&config.folder, Arc::clone(&config.key_store));
            if !vault.exists()? {
                return Err(Error::NotEnrolled);
            }
            let mut inbox = lock::settled_keys(&vault, &config.folder)?;
            if !Store::<Memory>::exists(&config.folder)? {
                return Err(Error::NotEnrolled);
            }
            let (changes, _) = broadcast::channel(CHANGES_KEPT);
            let open = |key| -> Result<_, Error> {
                let memory = Memory::new(changes.clone());
                let store = Store::open_caching(&config.folder, key, memory, limits.cache)?;
                let identity = store.read_blocking(load_identity)?;
                Ok((store, identity))
            };
            let mut opened = open(inbox.store);
            if matches!(opened, Err(Error::Store(_))) {
                // Another process may have changed the key since the vault was read.
                inbox = lock::settled_keys(&vault, &config.folder)?;
                opened = open(inbox.store);
            }
            let (store, identity) = opened?;
            let reading = inbox.reading;
            let inner = Inner::new(&config, store, vault, identity, reading, changes);
            inner.remember_time()?;
            Ok(Inner { limits, ..inner })
        })
        .await?;
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The person this device belongs to.
    pub fn user(&self) -> &UserId {
        &self.inner.identity.user_id
    }

    /// This device.
    pub fn device(&self) -> DeviceId {
        self.inner.identity.device_id
    }

    /// Finishes what is being written and lets go of every file, so that the system may suspend the
    /// process. Until [`Client::resume`] calls answer `WL-STORE-SUSPENDED`.
    pub async fn suspend(&self) -> Result<(), Error> {
        self.inner.store.suspend().await?;
        if let Some(unlocked) = self.inner.unlocked() {
            blocking(move || {
                unlocked.search.suspend();
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// Takes up the files again after [`Client::suspend`].
    pub async fn resume(&self) -> Result<(), Error> {
        // While nobody held the file, a copy may have been put in its place.
        self.inner.line().open_again();
        self.inner.store.resume().await?;
        if let Some(unlocked) = self.inner.unlocked() {
            blocking(move || Ok(unlocked.search.resume(unlocked.keys.search())?)).await?;
        }
        self.inner.announce_everything();
        Ok(())
    }

    /// Stops the loop, finishes what is being written and closes for good. Every clone of this
    /// client answers `WL-STORE-CLOSED` from now on; closing again, from any of them, changes nothing.
    pub async fn close(&self) -> Result<(), Error> {
        self.stop();
        self.lock();
        let closed = self.inner.store.close().await;
        // Whoever waits for a change looks once more, and is told.
        self.inner.announce_everything();
        Ok(closed?)
    }

    /// Checks the chain of audit records on this device; answers the first record that does not
    /// follow from the one before it.
    pub async fn check_audit(&self) -> Result<Option<i64>, Error> {
        Ok(self.inner.store.read(audit::verify).await?)
    }

    async fn write_identity(&self, config: &Config, label: &str) -> Result<(), Error> {
        let trust = Trust::new(config.organization.clone(), config.root);
        let now = self.inner.clock.now();
        let credential = self.inner.identity.credential(label.to_owned(), now)?;
        let listing = v1::EnrollRequest {
            ticket: String::new(),
            credential: credential.bytes().to_vec(),
            signature: credential.signature().to_vec(),
        };
        self.step(Commit::Enroll, move |step| {
            let identity = &step.context.identity;
            let saved = identity
                .save()
                .ok_or(StoreError::Damaged { what: "identity" })?;
            step.connection.execute(
                "INSERT INTO device
                     (singleton, organization, user_id, device_id, identity, account, listing)
                 VALUES (1, ?1, ?2, ?3, ?4, ?4, ?5)",
                params![
                    identity.organization.as_str(),
                    identity.user_id.as_str(),
                    identity.device_id.as_bytes(),
                    saved.as_slice(),
                    listing.encode_to_vec(),
                ],
            )?;
            directory::save_trust(step.connection, &trust)?;
            step.audit(Action::Enrolled, identity.device_id.as_bytes())
        })
        .await
    }

    /// Asks with the same bytes every time: whoever had the request already sees that it is the same.
    async fn request_listing(&self, ticket: &str) -> Result<(), Error> {
        let listing: Vec<u8> = self
            .inner
            .store
            .read(|connection| -> Result<_, Error> {
                Ok(connection.query_row("SELECT listing FROM device", [], |row| row.get(0))?)
            })
            .await?;
        let mut request = v1::EnrollRequest::decode(listing.as_slice())
            .map_err(|_| StoreError::Damaged { what: "listing" })?;
        request.ticket = ticket.to_owned();
        self.call(&request).await?;
        Ok(())
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn store(&self) -> &Store<Memory> {
        &self.inner.store
    }

    async fn call<C: RelayCall>(&self, call: &C) -> Result<C::Answer, Error> {
        let mut request = Request::new(call);
        self.inner
            .calls
            .sign(&mut request, self.inner.clock.now())?;
        let answer = self.carry(request).await?;
        self.heed(&answer).await?;
        Ok(answer.decode::<C>()?)
    }

    async fn carry(&self, request: Request) -> Result<Response, CallError> {
        carry(&self.inner.transport, self.inner.runtime.as_ref(), request).await
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("device", &self.device())
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn new(
        config: &Config,
        store: Store<Memory>,
        vault: Vault,
        identity: DeviceIdentity,
        reading_public: ReadingPublicKey,
        changes: broadcast::Sender<Changes>,
    ) -> Self {
        let signer: Arc<dyn Signer> = Arc::new(identity.clone());
        let caller = Caller::Device(identity.device_id);
        Self {
            store,
            vault,
            folder: config.folder.clone(),
            calls: CallSigner::new(
                caller,
                identity.organization.clone(),
                config.relay.clone(),
                signer,
            ),
            identity,
            reading_public,
            unlocked: RwLock::new(None),
            locks: AtomicU64::new(0),
            transport: Arc::clone(&config.transport),
            runtime: config.runtime.clone(),
            clock: Arc::clone(&config.clock),
            limits: Limits::APP,
            changes,
            attempts: Attempts::beside(&config.folder),
            heard: Mutex::default(),
            line: Mutex::new(Line::default()),
            outgoing: tokio::sync::Mutex::new(()),
            incoming: tokio::sync::Mutex::new(()),
            hurry: watch::Sender::new(0),
            wake: Notify::new(),
            erased: tokio::sync::Mutex::new(false),
            running: Mutex::new(None),
            indexing: tokio::sync::Mutex::new(()),
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unlocked(&self) -> Option<Unlocked> {
        self.unlocked
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn reading(&self) -> Result<Unlocked, Error> {
        let unlocked = self.unlocked().filter(|_| !self.store.is_wiped());
        unlocked.ok_or_else(|| match self.store.is_known_wiped() {
            true => Error::Wiped,
            false => Error::Locked,
        })
    }

    /// Lets every view look again, for what no commit tells: who may read has changed, say.
    fn announce_everything(&self) {
        // Nobody listening is fine.
        let _ = self.changes.send(Changes {
            everything: true,
            ..Changes::default()
        });
    }

    /// Opens the search index anew, after its file was found to be damaged and thrown away.
    fn reopen_search(&self) -> Result<(), Error> {
        let mut unlocked = self
            .unlocked
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(unlocked) = unlocked.as_mut() {
            unlocked.search = Arc::new(SearchIndex::open(&self.folder, unlocked.keys.search())?);
        }
        Ok(())
    }

    /// How often the client was locked. Read before the keys are asked for.
    fn locks(&self) -> u64 {
        self.locks.load(Ordering::SeqCst)
    }

    /// Holds the reading keys and opens the search index, until the lock. Refuses when it was locked
    /// since `locks` was read: whoever locks a phone while a passphrase is tried wants it locked.
    fn hold(&self, keys: ReadingKeys, locks: u64) -> Result<(), Error> {
        let search = SearchIndex::open(&self.folder, keys.search())?;
        let unlocked = Unlocked {
            keys: Arc::new(keys),
            search: Arc::new(search),
        };
        let mut held = self
            .unlocked
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if self.store.is_wiped() {
            return Err(Error::Wiped);
        }
        if self.locks() != locks {
            return Err(Error::Locked);
        }
        *held = Some(unlocked);
        Ok(())
    }
}

/// Hands a request to the transport, inside a runtime if there is one to be had: sockets and timers of
/// tokio's panic outside.
async fn carry(
    transport: &Arc<dyn Transport>,
    runtime: Option<&Handle>,
    request: Request,
) -> Result<Response, CallError> {
    let mut call = transport.call(request);
    let answer = match runtime {
        Some(runtime) if Handle::try_current().is_err() => {
            std::future::poll_fn(|context| {
                let _inside = runtime.enter();
                call.as_mut().poll(context)
            })
            .await
        }
        _ => call.await,
    };
    Ok(answer?)
}

/// The device that asked to be listed from here and was not yet; refuses any other.
fn unlisted(connection: &Connection, user: &UserId) -> Result<Option<DeviceIdentity>, Error> {
    match load_identity(connection) {
        Ok(identity) if identity.user_id == *user && !directory::has_head(connection)? => {
            Ok(Some(identity))
        }
        Ok(_) => Err(Error::AlreadyEnrolled),
        Err(Error::NotEnrolled) => Ok(None),
        Err(error) => Err(error),
    }
}

fn load_identity(connection: &Connection) -> Result<DeviceIdentity, Error> {
    let row: Option<(String, String, Vec<u8>)> = connection
        .query_row(
            "SELECT organization, user_id, identity FROM device",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let (organization, user, identity) = row.ok_or(Error::NotEnrolled)?;
    let damaged = StoreError::Damaged { what: "identity" };
    let identity = zeroize::Zeroizing::new(identity);
    let organization = OrgId::new(organization).map_err(|_| damaged.clone())?;
    let user = UserId::new(user).map_err(|_| damaged.clone())?;
    Ok(DeviceIdentity::load(&identity, organization, user).ok_or(damaged)?)
}

/// What blocks, with the client's own error.
fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> impl Future<Output = Result<T, Error>> + Send {
    crate::blocking::blocking(work)
}

/// Whether `folder` holds an enrolled device, or what is left of one that was wiped while the relay does not
/// know it yet: [`Client::open`] tells which, and posts the receipt.
pub fn is_enrolled(folder: &Path, key_store: Arc<dyn KeyStore>) -> Result<bool, Error> {
    let unsettled = store::wipe::Mark::read(folder)?.is_some_and(|mark| mark.to_post().is_some());
    Ok(unsettled || Vault::at(folder, key_store).exists()?)
}

/// A listener that falls behind by so many commits is told that everything may have changed.
const CHANGES_KEPT: usize = 256;
