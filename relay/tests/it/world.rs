//! A relay in this process with its clock and folder, and a hospital that it serves.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use tempfile::TempDir;
use wardline_org::{
    CallError, CallSigner, Clock, EnvelopeId, ManualClock, Refusal, RelayCode, Timestamp,
    Transport, person::Person, prekey::PrekeyKind, transport, transport::RelayCall,
};
use wardline_proto::{Bytes, v1};
use wardline_relay::{Config, Relay, SqliteStorage, storage::Storage};

use crate::hospital::{Device, Hospital, start};

pub(crate) const RELAY: &str = "relay.mercy.example";

pub(crate) struct World {
    pub(crate) relay: Relay,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) hospital: Hospital,
    pub(crate) config: Config,
    folder: TempDir,
}

impl World {
    /// A relay that serves a hospital without people.
    pub(crate) async fn empty() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, configured otherwise.
    pub(crate) async fn with(configure: impl FnOnce(&mut Config)) -> Self {
        let hospital = Hospital::new("mercy");
        let mut config = Config::new(RELAY.parse().unwrap()).serving(hospital.root.clone());
        configure(&mut config);
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(start()));
        let relay = open(&config, folder.path().to_owned(), &clock).await;
        Self {
            relay,
            clock,
            hospital,
            config,
            folder,
        }
    }

    /// A relay whose directory lists these devices.
    pub(crate) async fn of(devices: &[&Device]) -> Self {
        Self::with_devices(devices, |_| {}).await
    }

    pub(crate) async fn with_devices(
        devices: &[&Device],
        configure: impl FnOnce(&mut Config),
    ) -> Self {
        let mut world = Self::with(configure).await;
        let mut people: Vec<Person> = Vec::new();
        for device in devices {
            let person = world.hospital.admit(device);
            people.retain(|p| p.user != person.user);
            people.push(person);
        }
        world.publish(&people).await.unwrap();
        world
    }

    /// Closes the relay and opens it again on its folder.
    pub(crate) async fn restart(&mut self) {
        self.relay.close().await;
        self.relay = open(&self.config, self.path(), &self.clock).await;
    }

    /// Goes on with a copy of the folder, taken while the relay runs: what a power cut leaves.
    pub(crate) async fn cut_power(&mut self) {
        let copy = tempfile::tempdir().unwrap();
        for file in ["relay.db", "relay.db-wal"] {
            let from = self.path().join(file);
            std::fs::copy(from, copy.path().join(file)).unwrap();
        }
        self.relay.close().await;
        self.folder = copy;
        self.relay = open(&self.config, self.path(), &self.clock).await;
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Makes one signed call in this process.
    pub(crate) async fn call<C: RelayCall>(
        &self,
        signer: &CallSigner,
        call: &C,
    ) -> Result<C::Answer, Refusal> {
        call_over(&self.relay.local(), signer, call, self.now()).await
    }

    /// A call of a device.
    pub(crate) async fn ask<C: RelayCall>(
        &self,
        device: &Device,
        call: &C,
    ) -> Result<C::Answer, Refusal> {
        self.call(&device.calls(RELAY), call).await
    }

    /// A call of the authority.
    pub(crate) async fn command<C: RelayCall>(&self, call: &C) -> Result<C::Answer, Refusal> {
        self.call(&self.hospital.calls(RELAY), call).await
    }

    /// Publishes these people as the next head.
    pub(crate) async fn publish(&mut self, people: &[Person]) -> Result<(), Refusal> {
        let request = self.hospital.request(people, &[], self.now());
        self.publish_request(&request).await
    }

    pub(crate) async fn publish_request(
        &mut self,
        request: &v1::PublishHeadRequest,
    ) -> Result<(), Refusal> {
        self.command(request).await?;
        self.hospital.accepted(request);
        Ok(())
    }

    /// Sends one message and answers its outcome.
    pub(crate) async fn send(
        &self,
        from: &Device,
        submission: v1::Submission,
    ) -> Result<v1::SubmissionOutcome, Refusal> {
        let request = v1::SendRequest {
            submissions: vec![submission],
            checkpoint: 0,
        };
        let mut answer = self.ask(from, &request).await?;
        Ok(answer.outcomes.pop().unwrap())
    }

    /// Everything that waits for a device, without waiting.
    pub(crate) async fn receive(&self, device: &Device) -> Result<v1::ReceiveResponse, Refusal> {
        self.ask(device, &v1::ReceiveRequest::default()).await
    }

    /// Leaves one-time keys, and a fallback key if there is a number for it.
    pub(crate) async fn upload(
        &self,
        device: &Device,
        one_time: &[u8],
        fallback: Option<u8>,
    ) -> Result<v1::UploadKeysResponse, Refusal> {
        let request = v1::UploadKeysRequest {
            one_time_keys: one_time
                .iter()
                .map(|seed| device.prekey(PrekeyKind::OneTime, *seed))
                .collect(),
            fallback_key: fallback.map(|seed| device.prekey(PrekeyKind::Fallback, seed)),
            hold_key: None,
            replace: false,
        };
        self.ask(device, &request).await
    }
}

async fn open(config: &Config, folder: PathBuf, clock: &Arc<ManualClock>) -> Relay {
    let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(folder).unwrap());
    Relay::open(config.clone(), storage, clock.clone())
        .await
        .unwrap()
}

/// Makes one signed call over any transport.
pub(crate) async fn call_over<C: RelayCall>(
    transport: &dyn Transport,
    signer: &CallSigner,
    call: &C,
    now: Timestamp,
) -> Result<C::Answer, Refusal> {
    match transport::call(transport, signer, call, now).await {
        Ok(answer) => Ok(answer),
        Err(CallError::Refused(refusal)) => Err(refusal),
        Err(other) => panic!("{other}"),
    }
}

/// A message for these devices, under a name of its own.
pub(crate) fn submission(content: &'static str, to: &[&Device]) -> v1::Submission {
    static COUNT: AtomicU16 = AtomicU16::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let id = EnvelopeId::generate(start() + Duration::from_millis(number.into())).unwrap();
    v1::Submission {
        envelope_id: id.to_vec(),
        content: Bytes::from_static(content.as_bytes()),
        keys: to.iter().map(|device| sealed_key(device)).collect(),
        wake: 0,
        deposit: None,
    }
}

pub(crate) fn sealed_key(to: &Device) -> v1::SealedKey {
    v1::SealedKey {
        device_id: to.id().to_vec(),
        suite: v1::Suite::OlmV2.into(),
        olm_type: 1,
        ciphertext: Bytes::from_static(b"sealed key"),
        kem: Vec::new(),
    }
}

/// The code of a refused call.
pub(crate) fn code<T: std::fmt::Debug>(answer: Result<T, Refusal>) -> RelayCode {
    answer.unwrap_err().code
}

/// Two doctors with a phone each, and a tablet of the first.
pub(crate) struct Cast {
    pub(crate) ada: Device,
    pub(crate) ada_tablet: Device,
    pub(crate) ben: Device,
}

pub(crate) fn cast() -> Cast {
    Cast {
        ada: Device::new("mercy", "ada", 1),
        ada_tablet: Device::new("mercy", "ada", 2),
        ben: Device::new("mercy", "ben", 3),
    }
}
