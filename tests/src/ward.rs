//! A ward: one organization, one relay in this process, and devices with stores on disk.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tempfile::TempDir;
use wardline::{
    Client, Config, ConversationId, Draft, Event, EventCursor, Inbox, Message, MessageId,
    MessageRef, Recipient,
    vault::{Argon2Params, FileKeyStore, Passphrase},
};
use wardline_org::{
    Clock, Hash, OrgId, RelayId, Signer, SystemClock, TeamId, Transport, UserId,
    authority::{Authority, PersonDetails, Secrets},
    publisher::{Publisher, Wipe},
    root::Purpose,
    team::{CareTeam, TeamMember},
};
use wardline_relay::{Relay, SqliteStorage};

use crate::Faults;

/// An organization with its relay.
pub struct Ward {
    folder: TempDir,
    relay: Option<Relay>,
    config: wardline_relay::Config,
    publisher: Publisher,
    secrets: Secrets,
    pin: Hash,
    clock: Arc<dyn Clock>,
    phones: usize,
}

/// One device of one person, and everything needed to open it again.
pub struct Phone {
    pub client: Client,
    pub user: UserId,
    pub folder: PathBuf,
    pub faults: Arc<Faults>,
}

impl Ward {
    /// A ward whose people are named like `DR-1`, all of them on the care team `team-1`.
    pub async fn open(people: &[&str]) -> Self {
        Self::open_at(people, Arc::new(SystemClock)).await
    }

    /// A ward whose relay and devices tell the time by `clock`.
    pub async fn open_at(people: &[&str], clock: Arc<dyn Clock>) -> Self {
        Self::open_with(people, clock, |_| {}).await
    }

    /// [`Ward::open_at`] with a relay of the caller's configuration.
    pub async fn open_with(
        people: &[&str],
        clock: Arc<dyn Clock>,
        configure: impl FnOnce(&mut wardline_relay::Config),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::generate(1).unwrap();
        let mut authority = Authority::found(organization(), 1, &secrets).unwrap();
        for person in people {
            let details = PersonDetails::new(user(person), format!("Person {person}"));
            authority.upsert_person(details).unwrap();
        }
        authority.upsert_team(care_team("team-1", people)).unwrap();
        let pin = authority.pin();
        let root = authority.signed_root().unwrap().clone();
        let mut config = wardline_relay::Config::new(relay_name()).serving(root);
        configure(&mut config);
        let storage = Arc::new(SqliteStorage::open(folder.path()).unwrap());
        let relay = Relay::open(config.clone(), storage, Arc::clone(&clock))
            .await
            .unwrap();
        let transport: Arc<dyn Transport> = Arc::new(relay.local());
        let publisher = Publisher::new(authority, relay_name(), transport, Arc::new(())).unwrap();
        let mut ward = Self {
            folder,
            relay: Some(relay),
            config,
            publisher,
            secrets,
            pin,
            clock,
            phones: 0,
        };
        ward.publish().await;
        ward
    }

    /// A ward with a nurse and a doctor who have met.
    pub async fn pair(clock: Arc<dyn Clock>) -> (Self, Phone, Phone) {
        let mut ward = Self::open_at(&["NS-1", "DR-1"], clock).await;
        let nurse = ward.phone("NS-1").await;
        let doctor = ward.phone("DR-1").await;
        settle(&[&nurse, &doctor], 1).await;
        nurse.say(to(&doctor), "Good morning").await;
        settle(&[&nurse, &doctor, &nurse], 2).await;
        (ward, nurse, doctor)
    }

    /// Enrolls a new device of a person and publishes it.
    pub async fn phone(&mut self, person: &str) -> Phone {
        self.phones += 1;
        let folder = self.folder.path().join(format!("phone-{}", self.phones));
        let ticket = self.ticket(person);
        let phone = self.enroll(&folder, person, &ticket).await.unwrap();
        self.publish().await;
        phone
    }

    /// Enrolls a device of a person in a folder; nothing is published.
    pub async fn enroll(
        &self,
        folder: &std::path::Path,
        person: &str,
        ticket: &str,
    ) -> Result<Phone, wardline::Error> {
        let faults = Arc::new(Faults::new(Arc::new(self.relay().local())));
        let config = self.config(folder, Arc::clone(&faults) as _);
        let person = user(person);
        let label = "test phone";
        let client = Client::enroll(config, person.clone(), label, ticket, passphrase()).await?;
        Ok(Phone {
            client,
            user: person,
            folder: folder.to_owned(),
            faults,
        })
    }

    /// A one-use ticket for a person.
    pub fn ticket(&self, person: &str) -> String {
        let issuer = self.publisher.authority().ticket_issuer().unwrap();
        issuer
            .mint(&user(person), Duration::from_secs(900), self.clock.now())
            .unwrap()
    }

    /// Closes a phone as the system does, without asking, and opens it again, locked.
    pub async fn reopen(&self, phone: Phone) -> Phone {
        let Phone {
            client,
            user,
            folder,
            faults,
        } = phone;
        client.close().await.unwrap();
        drop(client);
        let config = self.config(&folder, Arc::clone(&faults) as _);
        let client = Client::open(config).await.unwrap();
        Phone {
            client,
            user,
            folder,
            faults,
        }
    }

    /// Gives out what is held and due by now.
    pub async fn release(&self) {
        self.relay().release_due().await.unwrap();
    }

    /// Closes the relay and opens it again from its files. Phones find it after [`Ward::reconnect`].
    pub async fn restart_relay(&mut self) {
        if let Some(relay) = self.relay.take() {
            relay.close().await;
        }
        let storage = Arc::new(SqliteStorage::open(self.folder.path()).unwrap());
        let opened = Relay::open(self.config.clone(), storage, Arc::clone(&self.clock)).await;
        self.relay = Some(opened.unwrap());
    }

    /// Opens a phone again, locked, with a line to the relay of now.
    pub async fn reconnect(&self, phone: Phone) -> Phone {
        let faults = Arc::new(Faults::new(Arc::new(self.relay().local())));
        self.reopen(Phone { faults, ..phone }).await
    }

    /// Opens a second handle on a phone's folder, as the process does that shows notifications.
    pub async fn inbox(&self, phone: &Phone) -> Result<Inbox, wardline::Error> {
        let line = Arc::clone(&phone.faults);
        Inbox::open(self.config(&phone.folder, line)).await
    }

    /// What opens a device in a folder.
    pub fn config(&self, folder: &std::path::Path, transport: Arc<dyn Transport>) -> Config {
        let keys = Arc::new(FileKeyStore::open(folder.with_extension("keys")).unwrap());
        let mut config = Config::new(
            folder,
            organization(),
            self.pin,
            relay_name(),
            transport,
            keys,
        );
        config.clock = Arc::clone(&self.clock);
        config.passphrase_cost = Argon2Params::FLOOR;
        config
    }

    /// Changes the organization.
    pub fn authority(&mut self) -> &mut Authority {
        self.publisher.authority_mut()
    }

    /// A second authority with the keys of the first and its state as of now: what whoever stole the
    /// keys could sign.
    pub fn rival(&self) -> Authority {
        let snapshot = self.publisher.authority().snapshot();
        Authority::restore(&snapshot, self.secrets.signers()).unwrap()
    }

    /// Admits who asked and publishes what changed.
    pub async fn publish(&mut self) {
        self.publisher.publish_once(self.clock.now()).await.unwrap();
    }

    /// Orders a device to erase itself and revokes it, as for a phone that was lost.
    pub async fn order_wipe(&mut self, phone: &Phone) {
        let now = self.clock.now();
        let (device, reason) = (phone.client.device(), "lost".parse().unwrap());
        let ordered = self.publisher.order_wipe(&phone.user, device, reason, now);
        ordered.await.unwrap();
        self.publish().await;
    }

    /// Every wipe order with its receipt, as the organization's backend reads them.
    pub async fn wipes(&self) -> Vec<Wipe> {
        self.publisher.wipes(self.clock.now()).await.unwrap()
    }

    /// The organization's keys: what whoever stole one could sign with.
    pub fn signer(&self, purpose: Purpose) -> Arc<dyn Signer> {
        Arc::clone(self.secrets.signers().get(purpose).unwrap())
    }

    /// The hash of the first root document, as an app pins it.
    pub fn pin(&self) -> Hash {
        self.pin
    }

    pub fn relay(&self) -> &Relay {
        self.relay.as_ref().unwrap()
    }

    /// Where relay and phones keep everything.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

impl Phone {
    /// Sends a text and answers its id.
    pub async fn say(&self, to: Recipient, text: &str) -> wardline::MessageId {
        self.client.send(Draft::new(to, text)).await.unwrap()
    }

    /// Every text of a conversation, oldest first.
    pub async fn texts(&self, conversation: ConversationId) -> Vec<String> {
        self.messages(conversation)
            .await
            .into_iter()
            .map(|message| message.text)
            .collect()
    }

    /// Every message of a conversation, oldest first.
    pub async fn messages(&self, conversation: ConversationId) -> Vec<Message> {
        self.client
            .timeline(conversation, None, 100_000)
            .await
            .unwrap()
            .messages
    }

    /// How others name a message that was written here.
    pub fn reference(&self, id: MessageId) -> MessageRef {
        let device = self.client.device();
        MessageRef { device, id }
    }

    /// Every event that was not confirmed, oldest first.
    pub async fn events(&self) -> Vec<Event> {
        let start = EventCursor::default();
        let events = self.client.events_from(start, 100_000).await.unwrap();
        events.into_iter().map(|event| event.event).collect()
    }

    /// The codes of envelopes that did not open, oldest first.
    pub async fn refusals(&self) -> Vec<String> {
        let events = self.events().await;
        let codes = events.into_iter().filter_map(|event| match event {
            Event::EnvelopeRefused { code, .. } => Some(code),
            _ => None,
        });
        codes.collect()
    }

    pub async fn unlock(&self) {
        self.client.unlock(passphrase()).await.unwrap();
    }

    /// The conversation with another person.
    pub fn with(&self, person: &str) -> ConversationId {
        self.client.conversation(&Recipient::Person(user(person)))
    }

    pub fn team(&self) -> ConversationId {
        self.client.conversation(&team())
    }
}

/// Lets every phone send and fetch, so many times.
pub async fn settle(phones: &[&Phone], rounds: usize) {
    for _ in 0..rounds {
        for phone in phones {
            phone.client.sync_once().await.unwrap();
        }
    }
}

/// The person whose phone it is.
pub fn to(phone: &Phone) -> Recipient {
    Recipient::Person(phone.user.clone())
}

/// The care team of everybody.
pub fn team() -> Recipient {
    Recipient::Team(TeamId::new("team-1").unwrap())
}

/// A text that no other test writes.
pub fn text(number: usize) -> String {
    format!("Potassium {number} mmol/L, canary-{number:05}")
}

pub(crate) fn care_team(id: &str, people: &[&str]) -> CareTeam {
    CareTeam {
        team: TeamId::new(id).unwrap(),
        display_name: "Care team".into(),
        fhir_references: Vec::new(),
        members: people
            .iter()
            .map(|person| TeamMember {
                user: user(person),
                role: String::new(),
            })
            .collect(),
        active: true,
    }
}

pub(crate) fn user(person: &str) -> UserId {
    UserId::new(person).unwrap()
}

/// The organization of every ward.
pub fn organization() -> OrgId {
    OrgId::new("mercy").unwrap()
}

pub(crate) fn relay_name() -> RelayId {
    RelayId::new("relay.mercy.example").unwrap()
}

/// What everybody types.
pub fn passphrase() -> Passphrase {
    Passphrase::new("correct horse battery staple").unwrap()
}
