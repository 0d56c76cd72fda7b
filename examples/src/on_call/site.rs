//! The hospital's side: a relay on a socket, the organization's authority, its rota, and what enrolls devices.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use tempfile::TempDir;
use wardline::{
    Client, Config,
    vault::{Argon2Params, FileKeyStore, Passphrase},
};
use wardline_org::{
    Clock, DeviceId, Hash, OrgId, RelayId, SystemClock, Timestamp, Transport, UserId,
    authority::{Authority, PersonDetails, Secrets},
    entry::EntryBody,
    fhir::{Export, ImportReport},
    http::{HttpOptions, HttpTransport},
    publisher::Publisher,
};
use wardline_relay::{Rate, Relay, Server, ServerOptions, SqliteStorage};

use super::rota::Rota;

/// One organization and its relay, with everything on disk below one temporary folder.
pub(super) struct Site {
    folder: TempDir,
    server: Server,
    publisher: Publisher,
    /// One HTTP client for all devices of this process: it keeps a pool of connections.
    transport: Arc<dyn Transport>,
    pin: Hash,
    opened: Timestamp,
    /// The laboratory's system, which no FHIR export lists among the people.
    pub(super) laboratory: UserId,
}

impl Site {
    /// Founds the organization, starts its relay and imports people and care teams from a folder.
    pub(super) async fn open(data: &Path) -> Result<(Self, ImportReport)> {
        let folder = tempfile::tempdir()?;
        let mut authority = Authority::found(organization()?, 1, &Secrets::generate(1)?)?;
        let (pin, root) = (authority.pin(), authority.signed_root()?.clone());

        let data = data.to_owned();
        let export = tokio::task::spawn_blocking(move || Export::read(&data)).await??;
        let imported = export.apply(&mut authority, SystemClock.now())?;
        let laboratory = free_id(&authority)?;
        authority.upsert_person(PersonDetails::new(laboratory.clone(), "Laboratory"))?;

        let mut config = wardline_relay::Config::new(relay_name()?).serving(root);
        // A whole hospital enrolls within seconds here, from one machine.
        config.quotas.enrollments = Rate::new(1_000, 100_000);
        config.quotas.organization = Rate::new(100_000, 100_000);
        let storage = Arc::new(SqliteStorage::open(folder.path().join("relay"))?);
        let relay = Relay::open(config, storage, Arc::new(SystemClock)).await?;
        let server = Server::start(relay, ServerOptions::local()).await?;
        let transport = HttpTransport::new(&server.url(), HttpOptions::default())?;
        let transport: Arc<dyn Transport> = Arc::new(transport);

        let publisher = Publisher::new(
            authority,
            relay_name()?,
            Arc::clone(&transport),
            Arc::new(()),
        )?;
        let site = Self {
            folder,
            server,
            publisher,
            transport,
            pin,
            opened: SystemClock.now(),
            laboratory,
        };
        Ok((site, imported))
    }

    /// Where relay and devices keep everything.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the relay keeps everything.
    pub(super) fn relay_folder(&self) -> std::path::PathBuf {
        self.folder.path().join("relay")
    }

    /// Admits who asked and publishes what changed; answers the newest version of the directory.
    pub(super) async fn publish(&mut self) -> Result<u64> {
        self.publisher.publish_once(SystemClock.now()).await?;
        Ok(self.publisher.authority().version())
    }

    /// The staff of a department, physicians first.
    pub(super) fn staff(&self, department: &str) -> Vec<UserId> {
        let mut staff: Vec<(bool, UserId)> = Vec::new();
        for (_, entry) in self.publisher.authority().entries() {
            let EntryBody::Person(person) = entry else {
                continue;
            };
            let here = person.staff_roles.iter();
            let mut here = here.filter(|role| role.department == department).peekable();
            if here.peek().is_some() {
                staff.push((here.all(|role| role.code != PHYSICIAN), person.user.clone()));
            }
        }
        staff.sort();
        staff.into_iter().map(|(_, user)| user).collect()
    }

    /// Lists the lines of a rota with the next publication; since `changed`, if that is said, the second shift has
    /// them.
    pub(super) fn list(&mut self, rota: &Rota, changed: Option<Timestamp>) -> Result<()> {
        for line in rota.lines(self.opened, changed) {
            self.publisher.authority_mut().upsert_role(line)?;
        }
        Ok(())
    }

    /// What staff is called in the directory, which the relay may read.
    pub(super) fn public_names(&self) -> Vec<String> {
        let entries = self.publisher.authority().entries();
        let names = entries.filter_map(|(_, entry)| match entry {
            EntryBody::Person(person) => Some(person.display_name.clone()),
            _ => None,
        });
        names.collect()
    }

    /// Takes a device off the directory with the next publication.
    pub(super) fn revoke(&mut self, user: &UserId, device: DeviceId) -> Result<()> {
        let authority = self.publisher.authority_mut();
        authority.revoke_device(user, device, SystemClock.now())?;
        Ok(())
    }

    /// Makes a new device: keys, store, and a request to be listed. The next publication lists it.
    pub(super) fn enroll(
        &self,
        user: UserId,
        label: &'static str,
        name: &str,
    ) -> Result<impl Future<Output = Result<Client>> + Send + use<>> {
        let issuer = self.publisher.authority().ticket_issuer()?;
        // The organization's backend hands this out once the person has signed in its own way.
        let ticket = issuer.mint(&user, Duration::from_secs(900), SystemClock.now())?;
        let config = self.config(name)?;
        Ok(async move {
            Client::enroll(config, user, label, &ticket, passphrase()?)
                .await
                .context("a device could not enroll")
        })
    }

    /// What opens the device of this name.
    pub(super) fn config(&self, name: &str) -> Result<Config> {
        let folder = self.folder.path().join(name);
        // A file stands in for the key store of a phone's operating system.
        let keys = Arc::new(FileKeyStore::open(folder.with_extension("keys"))?);
        let mut config = Config::new(
            folder,
            organization()?,
            self.pin,
            relay_name()?,
            Arc::clone(&self.transport),
            keys,
        );
        // The least that is allowed, since one machine plays every phone. Real apps keep the default.
        config.passphrase_cost = Argon2Params::FLOOR;
        Ok(config)
    }

    /// Stops the relay.
    pub(super) async fn stop(self) {
        self.server.stop().await;
    }
}

/// What every simulated person types.
pub(super) fn passphrase() -> Result<Passphrase> {
    Ok(Passphrase::new("correct horse battery staple")?)
}

fn free_id(authority: &Authority) -> Result<UserId> {
    let mut id = UserId::new("LAB")?;
    let mut number = 1;
    while authority.person(&id).is_some() {
        number += 1;
        id = UserId::new(format!("LAB-{number}"))?;
    }
    Ok(id)
}

fn organization() -> Result<OrgId> {
    Ok(OrgId::new("mercy")?)
}

fn relay_name() -> Result<RelayId> {
    Ok(RelayId::new("relay.mercy.example")?)
}

/// The code of a physician in `http://terminology.hl7.org/CodeSystem/practitioner-role`.
const PHYSICIAN: &str = "doctor";
