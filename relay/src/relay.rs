//! [`Relay`]: one call in, one answer out, whatever carried it.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use tokio::runtime::Handle;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::{AbortOnDropHandle, TaskTracker},
};
use wardline_org::{Clock, OrgId, Refusal, RelayCode, RelayId, Request, Response};

use crate::{
    config::Config,
    connect::{self, Terms},
    error::OpenError,
    held::{self, Timer},
    local::LocalTransport,
    method::Method,
    metrics::Metrics,
    organization::Organization,
    push::Waker,
    quota::Meter,
    storage::{Storage, StorageError},
    sweep,
};

/// A relay: takes calls, keeps what they bring in a [`Storage`], and answers.
///
/// It knows nothing of sockets. [`Server`](crate::Server) carries calls to it over HTTP,
/// [`Relay::local`] carries them inside one process, and a host with an HTTP stack of its own passes
/// them to [`Relay::handle`]. Cloning shares it. The crate's page shows how one is opened.
#[derive(Clone)]
pub struct Relay {
    core: Arc<Core>,
    runtime: Handle,
    /// What is being carried out: it goes on when a caller hangs up.
    tasks: TaskTracker,
}

/// What the calls work with.
pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) organizations: HashMap<OrgId, Arc<Organization>>,
    pub(crate) meter: Meter,
    pub(crate) metrics: Metrics,
    pub(crate) waker: Option<Arc<Waker>>,
    /// When something held is due.
    pub(crate) timer: Arc<Timer>,
    /// Ends every wait.
    pub(crate) closing: CancellationToken,
    /// What was begun beside the calls does not outlive a relay that is dropped unclosed.
    _ends: DropGuard,
}

impl Relay {
    /// Opens a relay on a storage. It must be called in a Tokio runtime with time enabled, which then
    /// carries out every call; [`Relay::handle`] itself may be awaited anywhere.
    pub async fn open(
        config: Config,
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let runtime = Handle::try_current().map_err(|_| OpenError::NoRuntime)?;
        let mut named: BTreeMap<OrgId, Vec<_>> = BTreeMap::new();
        for root in &config.roots {
            let org = root.root().org.clone();
            named.entry(org).or_default().push(root.clone());
        }
        if named.is_empty() {
            return Err(OpenError::NoOrganization);
        }
        let mut organizations = HashMap::new();
        for (id, roots) in named {
            let organization = Organization::open(id.clone(), roots, &*storage).await?;
            organizations.insert(id, Arc::new(organization));
        }
        let (metrics, closing) = (Metrics::new(), CancellationToken::new());
        let waker = config.push.clone().map(|options| {
            let storage = Arc::clone(&storage);
            Waker::start(options, storage, metrics.wake_ups.clone(), closing.clone())
        });
        let core = Arc::new(Core {
            meter: Meter::new(&config.quotas, Arc::clone(&clock)),
            config,
            storage,
            clock,
            organizations,
            metrics,
            waker,
            timer: Arc::default(),
            _ends: closing.clone().drop_guard(),
            closing,
        });
        let tasks = TaskTracker::new();
        runtime.spawn(held::run(Arc::downgrade(&core), core.closing.clone()));
        runtime.spawn(sweep::run(Arc::downgrade(&core), core.closing.clone()));
        Ok(Self {
            core,
            runtime,
            tasks,
        })
    }

    /// Answers one call. Never fails: what cannot be carried out is answered as a Connect error.
    ///
    /// Dropping the future ends a waiting `Receive`; every other call is carried out to its end.
    pub async fn handle(&self, request: Request) -> Response {
        let started = self.core.clock.monotonic();
        let method = Method::of_path(&request.path);
        let (response, code) = match method {
            None => (connect::not_found(), RelayCode::Unsupported),
            Some(method) => self.handle_method(method, request).await,
        };
        let code = if response.status == 200 {
            "ok"
        } else {
            code.as_str()
        };
        let took = self.core.clock.monotonic().saturating_sub(started);
        self.core.metrics.call(method, code, took);
        tracing::debug!(
            method = method.map(tracing::field::display),
            code,
            ms = took.as_secs_f64() * 1e3,
            "call"
        );
        response
    }

    async fn handle_method(&self, method: Method, request: Request) -> (Response, RelayCode) {
        let terms = match Terms::read(&request) {
            Ok(terms) => terms,
            Err(response) => return (response, RelayCode::Malformed),
        };
        if self.core.closing.is_cancelled() {
            return refuse(unavailable().with_retry_after(RETRY));
        }
        let core = Arc::clone(&self.core);
        let task = self.tasks.spawn_on(
            async move { core.carry_out(method, request, terms).await },
            &self.runtime,
        );
        let answer = match method {
            // A wait that nobody waits for is given up, and with it its place.
            Method::Receive => self.within(terms, AbortOnDropHandle::new(task)).await,
            _ => self.within(terms, task).await,
        };
        match answer {
            Some(Ok(Ok(body))) => (
                Response {
                    status: 200,
                    body: body.into(),
                },
                RelayCode::Unavailable,
            ),
            Some(Ok(Err(refusal))) => refuse(refusal),
            // A panic or a runtime that ends: both are bugs or the end, and neither is the caller's.
            Some(Err(_)) => refuse(unavailable()),
            None => (connect::deadline_exceeded(), RelayCode::Unavailable),
        }
    }

    /// Waits for an answer as long as the caller does.
    async fn within<T>(&self, terms: Terms, task: impl Future<Output = T>) -> Option<T> {
        let Some(timeout) = terms.timeout else {
            return Some(task.await);
        };
        let patience = {
            // The timer belongs to the relay's runtime: the caller's may have none.
            let _inside = self.runtime.enter();
            tokio::time::sleep(timeout)
        };
        tokio::select! {
            biased;
            answer = task => Some(answer),
            () = patience => None,
        }
    }

    /// A transport to this relay inside the process: nothing leaves memory, and no socket is opened.
    pub fn local(&self) -> LocalTransport {
        LocalTransport::new(self.clone())
    }

    /// The name that calls must be signed for.
    pub fn name(&self) -> &RelayId {
        &self.core.config.name
    }

    /// Most bytes of a call's body.
    pub(crate) fn body_limit(&self, method: Method) -> usize {
        self.core.body_limit(method)
    }

    /// Whether somebody who may call signed this head, whose body has not come yet.
    pub(crate) fn recognize(&self, method: Method, head: &Request) -> Result<(), Response> {
        Terms::read(head)?;
        let known = self.core.recognize(method, head);
        known.map_err(|refusal| refusal.to_response())
    }

    /// The configuration the relay was opened with.
    pub fn config(&self) -> &Config {
        &self.core.config
    }

    /// Whether the storage reads and writes now.
    pub async fn ready(&self) -> Result<(), StorageError> {
        if self.core.closing.is_cancelled() {
            return Err(StorageError::Closed);
        }
        let core = Arc::clone(&self.core);
        let probe = self
            .runtime
            .spawn(async move { core.storage.probe().await });
        probe.await.unwrap_or(Err(StorageError::Closed))
    }

    /// The metrics as OpenMetrics text; see [`metrics`](crate::metrics) for their names.
    pub fn metrics(&self) -> String {
        let organizations = self.core.organizations.values();
        self.core
            .metrics
            .text(organizations.map(|org| org.polls.count()).sum())
    }

    /// Deletes what is too old now. An open relay does so by itself every minute.
    pub async fn sweep(&self) -> Result<(), StorageError> {
        let core = Arc::clone(&self.core);
        let swept = self.runtime.spawn(async move { sweep::sweep(&core).await });
        swept.await.unwrap_or(Err(StorageError::Closed))
    }

    /// Releases what is held and due now. An open relay does so by itself, within a second of its time.
    pub async fn release_due(&self) -> Result<(), StorageError> {
        let core = Arc::clone(&self.core);
        let released = self
            .runtime
            .spawn(async move { held::release_due(&core).await });
        released.await.unwrap_or(Err(StorageError::Closed))
    }

    /// Answers every waiting poll now and refuses new calls with `WL-RELAY-UNAVAILABLE`.
    pub(crate) fn stop_waiting(&self) {
        self.core.closing.cancel();
    }

    /// Answers every waiting poll, finishes what was begun, and closes the storage. Later calls are
    /// refused with `WL-RELAY-UNAVAILABLE`.
    pub async fn close(&self) {
        self.stop_waiting();
        self.tasks.close();
        self.tasks.wait().await;
        if let Err(error) = self.core.storage.close().await
            && !matches!(error, StorageError::Closed)
        {
            tracing::warn!(%error, "the storage did not close");
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("name", &self.core.config.name)
            .field("organizations", &self.core.organizations.len())
            .finish_non_exhaustive()
    }
}

impl Core {
    pub(crate) fn organization(&self, id: &OrgId) -> Result<Arc<Organization>, Refusal> {
        self.organizations
            .get(id)
            .cloned()
            .ok_or_else(|| Refusal::new(RelayCode::WrongOrg))
    }

    /// From a request to the encoded answer.
    async fn carry_out(
        &self,
        method: Method,
        request: Request,
        terms: Terms,
    ) -> Result<Vec<u8>, Refusal> {
        let limit = self.body_limit(method);
        if request.body.len() > limit {
            return Err(too_large(limit));
        }
        if method == Method::Enroll {
            return self.enroll(request).await;
        }
        if method == Method::ConfirmWipe {
            return self.confirm_wipe(request.body).await;
        }
        let session = self.authenticate(method, &request)?;
        // Whoever overheard a call and makes it again must not spend its caller's quota.
        if session.org.seen.knows(session.mark) {
            return Err(Refusal::new(RelayCode::Replay));
        }
        let call = self.prepare(method, &session, &request.body)?;
        if !session.org.seen.is_new(session.mark) {
            return Err(Refusal::new(RelayCode::Replay));
        }
        // The call's own write goes first into the queue, the mark right behind it: one commit for both.
        let (answer, remembered, ()) = tokio::join!(
            biased;
            self.dispatch(call, &session, terms),
            self.storage.remember_call(session.org.key, session.mark),
            self.note_seen(&session),
        );
        match remembered {
            Ok(true) => answer,
            Ok(false) => Err(Refusal::new(RelayCode::Replay)),
            Err(error) => Err(stored(error)),
        }
    }

    fn body_limit(&self, method: Method) -> usize {
        let limits = &self.config.limits;
        match method {
            Method::PublishHead => limits.publish_bytes,
            // The calls of somebody whom nobody knows.
            Method::Enroll | Method::ConfirmWipe => limits.body_bytes.min(STRANGERS_BYTES),
            _ => limits.body_bytes,
        }
    }
}

/// What a caller is told of a storage that fails; the operator reads the rest.
pub(crate) fn stored(error: StorageError) -> Refusal {
    tracing::error!(%error, "the storage failed");
    unavailable().with_retry_after(RETRY)
}

pub(crate) fn too_large(limit: usize) -> Refusal {
    Refusal::new(RelayCode::TooLarge).with_limit(limit as u64)
}

pub(crate) fn malformed() -> Refusal {
    Refusal::new(RelayCode::Malformed)
}

fn unavailable() -> Refusal {
    Refusal::new(RelayCode::Unavailable)
}

fn refuse(refusal: Refusal) -> (Response, RelayCode) {
    (refusal.to_response(), refusal.code)
}

/// A ticket and a credential are far below this, and so is a receipt.
const STRANGERS_BYTES: usize = 64 * 1024;
/// A restart or a full disk is not over sooner.
const RETRY: Duration = Duration::from_secs(1);
