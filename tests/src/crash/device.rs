//! The process that is a device: it does what it is told and says what it sees.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;
use wardline::{
    Availability, Client, DeliveryState, Direction, Draft, Error, Event, EventCursor, Inbox,
    Lifetime, Message, MessageId, OpenItems, PushRegistration, Recipient, Verdict,
    vault::Passphrase,
};
use wardline_org::{Clock as _, SystemClock};
use wardline_proto::v1;

use super::{
    Site,
    orders::{Order, Report, Seen, To, orders, panic_at, say, stop_at},
};
use crate::{
    Faults, Memory, team,
    ward::{passphrase, user},
};

/// Obeys until the test is over or kills it.
pub async fn run(site: Site, name: String) {
    let faults = Arc::new(Faults::new(site.line()));
    let mut device = Device {
        site,
        name,
        faults,
        client: None,
        memory: None,
    };
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        match device.obey(order).await {
            Ok(()) => say(&Report::Done),
            Err(error) => say(&Report::Failed(error.code())),
        }
    }
}

struct Device {
    site: Site,
    name: String,
    faults: Arc<Faults>,
    client: Option<Client>,
    memory: Option<Memory>,
}

impl Device {
    async fn obey(&mut self, order: Order) -> Result<(), Error> {
        match order {
            Order::StopAt(point) => stop_at(&point),
            Order::PanicAt(point) => panic_at(&point),
            Order::Enroll { person, ticket } => self.enroll(&person, &ticket).await?,
            Order::Open => self.open().await?,
            Order::Unlock => {
                self.client().unlock(passphrase()).await?;
            }
            Order::UnlockWrongly => {
                let wrong = Passphrase::new("another horse, another battery").unwrap();
                self.client().unlock(wrong).await?;
            }
            Order::ChangePassphrase => {
                let client = self.client();
                client.change_passphrase(passphrase(), passphrase()).await?;
            }
            Order::Rekey => self.client().rekey().await?,
            Order::Start => {
                self.client().start()?;
                tokio::spawn(app(self.client().clone()));
            }
            Order::Sync => {
                self.client().sync_once().await?;
            }
            Order::SyncDeceived => {
                self.faults
                    .meddle::<v1::HeadRequest>(|answer| answer.head.push('x'));
                let synced = self.client().sync_once().await;
                self.faults.relent();
                synced?;
            }
            Order::Send { to, texts } => self.send(&to, texts).await?,
            Order::RegisterPush => {
                let registration = PushRegistration::new("token", "apns:example").unwrap();
                self.client().register_push(registration).await?;
            }
            Order::Reach { person } => {
                let quiet = Availability {
                    do_not_disturb_until: Some(SystemClock.now() + Duration::from_secs(3600)),
                    away: None,
                };
                self.client().set_availability(quiet).await?;
                self.client().reachability(&[user(&person)]).await?;
            }
            Order::Ask { to, text } => {
                let draft = Draft::new(recipient(&to), &text)
                    .answer_within(Duration::ZERO)
                    .idempotency_key(&text);
                self.client().send(draft).await?;
                // The clock has to move on.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Order::Brief { to, text } => {
                let (client, to) = (self.client(), recipient(&to));
                client.set_lifetime(to.clone(), Lifetime::default()).await?;
                let draft = Draft::new(to, &text)
                    .expire_after_sent(Duration::from_secs(1))
                    .idempotency_key(&text);
                client.send(draft).await?;
                // The clock has to move on.
                tokio::time::sleep(Duration::from_millis(1100)).await;
            }
            Order::Accept => {
                let client = self.client();
                for message in client.open_items(OpenItems::ToAnswer, 100).await? {
                    let message = message.reference();
                    client.answer(message, Verdict::Accepted, "I go").await?;
                }
            }
            Order::Correct { to, beginning } => {
                let client = self.client();
                for message in messages(client, &recipient(&to)).await? {
                    if message.text.starts_with(&beginning) {
                        let text = message.text.clone();
                        client.amend(message.reference(), &text, "a slip").await?;
                    }
                }
            }
            Order::Export { to, beginning } => {
                let client = self.client();
                for message in messages(client, &recipient(&to)).await? {
                    if message.text.starts_with(&beginning) {
                        client.export_proof(message.reference()).await?;
                    }
                }
            }
            Order::TakeBack { to, beginning } => {
                let client = self.client();
                for message in messages(client, &recipient(&to)).await? {
                    if message.text.starts_with(&beginning) {
                        client.recall(message.reference(), "a slip").await?;
                    }
                }
            }
            Order::Draft(to) => self.client().save_draft(recipient(&to), "Dear").await?,
            Order::Events => {
                events(self.client(), EventCursor::default()).await?;
            }
            Order::CountMemory => self.memory = Some(Memory::count()),
            Order::Memory => say(&Report::Memory(self.memory.as_ref().unwrap().peak())),
            Order::Notify => self.notify().await?,
            Order::Look(at) => say(&Report::Seen(self.look(&at).await?)),
            Order::Sweep => panic!("a device does not sweep"),
        }
        Ok(())
    }

    fn client(&self) -> &Client {
        self.client.as_ref().unwrap()
    }

    fn config(&self) -> wardline::Config {
        self.site
            .config(&self.name, Arc::clone(&self.faults) as Arc<_>)
    }

    async fn open(&mut self) -> Result<(), Error> {
        self.client = Some(Client::open(self.config()).await?);
        Ok(())
    }

    async fn notify(&self) -> Result<(), Error> {
        let inbox = Inbox::open(self.config()).await?;
        let collected = inbox.collect(PATIENCE).await?;
        if let Some(error) = collected.failure {
            return Err(error);
        }
        let shown = collected.notices.iter().map(|notice| notice.reference);
        let shown: Vec<_> = shown.collect();
        for message in &shown {
            let message = message.id.to_string();
            say(&Report::Noticed { message });
        }
        inbox.shown(shown).await?;
        inbox.close().await
    }

    async fn enroll(&mut self, person: &str, ticket: &str) -> Result<(), Error> {
        let label = "ward phone";
        match Client::enroll(self.config(), user(person), label, ticket, passphrase()).await {
            Ok(client) => self.client = Some(client),
            // It was listed before the process ended.
            Err(Error::AlreadyEnrolled) => {
                self.open().await?;
                self.client().unlock(passphrase()).await?;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn send(&self, to: &To, texts: Vec<String>) -> Result<(), Error> {
        let mut sending = JoinSet::new();
        for text in texts {
            let client = self.client().clone();
            let draft = Draft::new(recipient(to), text.clone()).idempotency_key(text.clone());
            sending.spawn(async move {
                let message = client.send(draft).await?;
                let message = message.to_string();
                say(&Report::Sent { text, message });
                Ok::<(), Error>(())
            });
        }
        while let Some(sent) = sending.join_next().await {
            sent.unwrap()?;
        }
        Ok(())
    }

    async fn look(&self, at: &[To]) -> Result<Seen, Error> {
        let client = self.client();
        let mut seen = Seen {
            broken_audit: client.check_audit().await?,
            ..Seen::default()
        };
        for to in at {
            let messages = messages(client, &recipient(to)).await?;
            let own = messages
                .iter()
                .filter(|message| message.direction == Direction::Outgoing)
                .filter(|message| message.recalled.is_none() && message.expired.is_none());
            for message in own {
                seen.undelivered += undelivered(client, message.id).await?;
            }
            let texts = messages
                .into_iter()
                .map(|message| (message.id.to_string(), message.text));
            seen.texts.push(texts.collect());
        }
        Ok(seen)
    }
}

/// What an app does: waits for events, tells of them, marks what arrived as read, confirms.
async fn app(client: Client) {
    let mut cursor = EventCursor::default();
    while client.next_events(cursor, 1).await.is_ok() {
        match events(&client, cursor).await {
            Ok(last) => cursor = last,
            Err(error) => {
                let what = error.code();
                return say(&Report::Warned { cursor: 0, what });
            }
        }
    }
}

async fn events(client: &Client, after: EventCursor) -> Result<EventCursor, Error> {
    let events = client.events_from(after, EVENTS).await?;
    let mut arrived = Vec::new();
    for event in &events {
        let cursor = event.cursor.0;
        let what = match &event.event {
            Event::MessageArrived { message, .. } => {
                arrived.push(*message);
                let message = message.id.to_string();
                say(&Report::Arrived { cursor, message });
                continue;
            }
            Event::EnvelopeRefused { code, .. } => code.clone(),
            Event::StoreRolledBack => "StoreRolledBack".to_owned(),
            Event::DeviceRevoked => "DeviceRevoked".to_owned(),
            Event::DirectoryRefused { code } => code.clone(),
            _ => continue,
        };
        say(&Report::Warned { cursor, what });
    }
    let last = events.last().map_or(after, |event| event.cursor);
    if !arrived.is_empty() {
        client.mark_read(arrived).await?;
    }
    client.confirm_events(last).await?;
    Ok(last)
}

async fn messages(client: &Client, at: &Recipient) -> Result<Vec<Message>, Error> {
    let conversation = client.conversation(at);
    let page = client.timeline(conversation, None, EVERYTHING).await?;
    Ok(page.messages)
}

async fn undelivered(client: &Client, message: MessageId) -> Result<usize, Error> {
    let people = client.deliveries(message).await?;
    let missing = people
        .iter()
        .flat_map(|person| &person.devices)
        .filter(|device| device.state < DeliveryState::Delivered)
        .count();
    // Not sealed yet: nobody has it.
    Ok(missing + usize::from(people.is_empty()))
}

fn recipient(to: &To) -> Recipient {
    match to {
        To::Person(person) => Recipient::Person(user(person)),
        To::Team => team(),
    }
}

/// More than any round takes.
const PATIENCE: Duration = Duration::from_secs(60);
const EVENTS: u32 = 200;
const EVERYTHING: u32 = 1_000_000;
