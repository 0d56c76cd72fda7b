//! Where everything is that several processes share: one folder with the relay, the devices and a note of
//! where the relay listens.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use wardline::{
    Config,
    vault::{Argon2Params, FileKeyStore},
};
use wardline_org::{
    Hash, Request, Response, Transport, TransportError,
    http::{HttpOptions, HttpTransport},
    root::SignedRoot,
};

use crate::ward::{organization, relay_name};

/// The folder of one test.
#[derive(Debug, Clone)]
pub struct Site {
    folder: PathBuf,
}

impl Site {
    /// The site in a folder.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Writes down what everybody has to know of the organization.
    pub fn found(&self, pin: Hash, root: &SignedRoot) {
        std::fs::write(self.folder.join(PIN), pin.to_string()).unwrap();
        std::fs::write(self.folder.join(ROOT), root.to_string()).unwrap();
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a device of this name keeps everything but its keys.
    pub fn device_folder(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What opens the device of this name, over `transport`.
    pub fn config(&self, name: &str, transport: Arc<dyn Transport>) -> Config {
        let folder = self.device_folder(name);
        let keys = Arc::new(FileKeyStore::open(folder.with_extension("keys")).unwrap());
        let pin = std::fs::read_to_string(self.folder.join(PIN)).unwrap();
        let mut config = Config::new(
            folder,
            organization(),
            pin.parse().unwrap(),
            relay_name(),
            transport,
            keys,
        );
        config.passphrase_cost = Argon2Params::FLOOR;
        config
    }

    /// A line to the relay, wherever it listens by then.
    pub fn line(&self) -> Arc<dyn Transport> {
        Arc::new(Line {
            file: self.folder.join(ADDRESS),
            current: Mutex::default(),
        })
    }

    pub(crate) fn relay_folder(&self) -> PathBuf {
        self.folder.join("relay")
    }

    pub(crate) fn root(&self) -> SignedRoot {
        let root = std::fs::read_to_string(self.folder.join(ROOT)).unwrap();
        root.parse().unwrap()
    }

    /// Notes where the relay listens, all of it or nothing.
    pub(crate) fn announce(&self, url: &str) {
        let note = self.folder.join("address.new");
        std::fs::write(&note, url).unwrap();
        std::fs::rename(note, self.folder.join(ADDRESS)).unwrap();
    }
}

/// HTTP to a relay that listens on another port after each restart: a port that was free once may be
/// somebody else's by then.
struct Line {
    file: PathBuf,
    current: Mutex<Option<(String, HttpTransport)>>,
}

impl Line {
    fn transport(&self) -> Option<HttpTransport> {
        let url = std::fs::read_to_string(&self.file).ok()?;
        let mut current = self.current.lock().unwrap();
        match &*current {
            Some((known, transport)) if *known == url => Some(transport.clone()),
            _ => {
                let transport = HttpTransport::new(&url, HttpOptions::default()).ok()?;
                *current = Some((url, transport.clone()));
                Some(transport)
            }
        }
    }
}

#[async_trait]
impl Transport for Line {
    async fn call(&self, request: Request) -> Result<Response, TransportError> {
        match self.transport() {
            Some(transport) => transport.call(request).await,
            None => Err(TransportError::Unreachable),
        }
    }
}

const PIN: &str = "pin";
const ROOT: &str = "root";
const ADDRESS: &str = "address";
