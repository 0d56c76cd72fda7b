//! A relay in this process, reachable without a socket, and on one when asked.

use std::{net::SocketAddr, sync::Arc};

use tokio::sync::Mutex;
use wardline_org::{Clock, SystemClock, root::SignedRoot};
use wardline_relay::{
    Config, Relay, Server, ServerOptions, SqliteStorage,
    push::{PushOptions, PushRecorder, class_word},
};

use super::TestClock;
use crate::{
    error::WardlineError,
    host::transport::{BuiltIn, Transport},
    ids::parse,
    runtime::{run, run_blocking, run_to_the_end},
};

/// A relay in this process. Stop it before its folder goes away.
#[derive(uniffi::Object)]
pub struct TestRelay {
    relay: Relay,
    pushes: Arc<PushRecorder>,
    server: Arc<Mutex<Option<Server>>>,
}

#[uniffi::export]
impl TestRelay {
    /// Opens a relay of this name on a folder, for the organizations of these root documents.
    #[uniffi::constructor]
    pub async fn open(
        folder: String,
        name: String,
        root_documents: Vec<String>,
        clock: Option<Arc<TestClock>>,
    ) -> Result<Arc<Self>, WardlineError> {
        let mut config = Config::new(parse("name", &name)?);
        for document in &root_documents {
            config = config.serving(parse::<SignedRoot>("root_documents", document)?);
        }
        let pushes = Arc::new(PushRecorder::default());
        config.push = Some(PushOptions::new(Arc::clone(&pushes) as _));
        let clock: Arc<dyn Clock> = match clock {
            Some(clock) => clock.core(),
            None => Arc::new(SystemClock),
        };
        let storage = run_blocking(move || {
            SqliteStorage::open(folder)
                .map_err(|error| WardlineError::unfit("folder", &error.to_string()))
        })
        .await?;
        let relay = run(async move {
            Relay::open(config, Arc::new(storage), clock)
                .await
                .map_err(|error| WardlineError::unfit("root_documents", &error.to_string()))
        })
        .await?;
        Ok(Arc::new(Self {
            relay,
            pushes,
            server: Arc::default(),
        }))
    }

    /// A transport to it, without a socket.
    pub fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(BuiltIn(Arc::new(self.relay.local())))
    }

    /// Puts it on a port of this machine (0 takes a free one) and answers its address, so that apps in
    /// other processes can join.
    pub async fn listen(&self, port: u16) -> Result<String, WardlineError> {
        let relay = self.relay.clone();
        let place = Arc::clone(&self.server);
        run_to_the_end(async move {
            let options = ServerOptions::new(SocketAddr::from(([127, 0, 0, 1], port)));
            let server = Server::start(relay, options)
                .await
                .map_err(|error| WardlineError::unfit("port", &error.to_string()))?;
            let url = server.url();
            *place.lock().await = Some(server);
            Ok(url)
        })
        .await
    }

    /// Deletes what is too old by its clock now; by itself it does so once a minute.
    pub async fn sweep(&self) -> Result<(), WardlineError> {
        let relay = self.relay.clone();
        run(async move {
            let swept = relay.sweep().await;
            swept.map_err(|error| WardlineError::defect(&error.to_string()))
        })
        .await
    }

    /// Releases what is held and due by its clock now; by itself it does so within a second of the system's time.
    pub async fn release_due(&self) -> Result<(), WardlineError> {
        let relay = self.relay.clone();
        run(async move {
            let released = relay.release_due().await;
            released.map_err(|error| WardlineError::defect(&error.to_string()))
        })
        .await
    }

    /// Waits for the next wake-up that it hands to its push gateway, which keeps all of them. A device in
    /// a long poll is woken only when it has not acknowledged what came after 3 s.
    pub async fn next_wake_up(&self) -> Result<TestWakeUp, WardlineError> {
        let pushes = Arc::clone(&self.pushes);
        run(async move {
            let wake_up = pushes.next().await;
            Ok(TestWakeUp {
                token: wake_up.registration.token().to_owned(),
                topic: wake_up.registration.topic().to_owned(),
                wake_class: class_word(wake_up.class).to_owned(),
            })
        })
        .await
    }

    /// Its metrics, as OpenMetrics text.
    pub fn metrics(&self) -> String {
        self.relay.metrics()
    }

    /// Answers every waiting poll, finishes what was begun and closes.
    pub async fn stop(&self) -> Result<(), WardlineError> {
        let relay = self.relay.clone();
        let place = Arc::clone(&self.server);
        run_to_the_end(async move {
            let server = place.lock().await.take();
            match server {
                Some(server) => server.stop().await,
                None => relay.close().await,
            }
            Ok(())
        })
        .await
    }
}

/// What a push gateway is told.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct TestWakeUp {
    /// The device, as the push service knows it.
    pub token: String,
    /// Which push service and which app the token is of.
    pub topic: String,
    /// `silent`, `alert` or `critical`.
    pub wake_class: String,
}

impl std::fmt::Debug for TestRelay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestRelay").finish_non_exhaustive()
    }
}
