//! One device of one person, and the app on it: it is told of messages, opens them, reads them, and on a phone answers
//! them.

use std::sync::Arc;

use anyhow::Result;
use tokio::task::JoinHandle;
use wardline::{
    Client, ConversationId, Event, EventCursor, Message, MessageRef, Structured, Verdict,
};
use wardline_org::{DeviceId, UserId};

use super::{
    board::Board,
    script::{Reaction, Script},
    site::{Site, passphrase},
};

/// What happens to a device during the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// On, online and unlocked.
    Online,
    /// In a pocket: on and online, and nobody can read until the end.
    Locked,
    /// Off until everything has been sent.
    Offline,
    /// Ends in the middle and comes back.
    Restarted,
    /// Taken off the directory in the middle.
    Revoked,
}

impl Habit {
    /// Whether it can receive all the time, so that its times say something.
    pub(super) fn is_steady(self) -> bool {
        matches!(self, Self::Online | Self::Locked)
    }
}

pub(super) struct Device {
    pub(super) client: Client,
    pub(super) habit: Habit,
    /// The name of its folder.
    pub(super) name: String,
    /// What its person does with messages here, if they answer on this device.
    script: Option<Arc<Script>>,
    app: Option<JoinHandle<()>>,
}

impl Device {
    pub(super) fn new(
        client: Client,
        habit: Habit,
        name: String,
        script: Option<Arc<Script>>,
    ) -> Self {
        Self {
            client,
            habit,
            name,
            script,
            app: None,
        }
    }

    pub(super) fn user(&self) -> &UserId {
        self.client.user()
    }

    pub(super) fn id(&self) -> DeviceId {
        self.client.device()
    }

    /// Starts the loop to the relay, and the app on top of it.
    pub(super) fn start(&mut self, board: &Arc<Board>) -> Result<()> {
        self.client.start()?;
        let board = Arc::clone(board);
        let app = App {
            client: self.client.clone(),
            script: self.script.clone(),
            steady: self.habit.is_steady(),
        };
        self.app = Some(tokio::spawn(async move {
            if let Err(error) = app.run(&board).await {
                board.failed(error);
            }
        }));
        Ok(())
    }

    /// Ends the app and the loop; the store stays open.
    pub(super) fn stop(&mut self) {
        if let Some(app) = self.app.take() {
            app.abort();
        }
        self.client.stop();
    }

    /// Ends the app in the middle of whatever it does, closes the store and opens it again from disk.
    ///
    /// One process cannot kill a part of itself: the store is closed properly here. Processes that are
    /// really killed, at every named point, are in the whole-system tests.
    pub(super) async fn restart(&mut self, site: &Site, board: &Arc<Board>) -> Result<()> {
        self.stop();
        self.client.close().await?;
        self.client = Client::open(site.config(&self.name)?).await?;
        self.client.unlock(passphrase()?).await?;
        self.start(board)
    }

    /// Every message of a conversation, oldest first.
    pub(super) async fn messages(&self, conversation: ConversationId) -> Result<Vec<Message>> {
        let mut pages = Vec::new();
        let mut before = None;
        loop {
            let page = self.client.timeline(conversation, before, PAGE).await?;
            before = page.before;
            pages.push(page.messages);
            if before.is_none() {
                return Ok(pages.into_iter().rev().flatten().collect());
            }
        }
    }

    /// Every conversation there is.
    pub(super) async fn conversations(&self) -> Result<Vec<ConversationId>> {
        let page = self.client.conversations(None, PAGE).await?;
        let conversations = page.conversations.into_iter();
        Ok(conversations.map(|conversation| conversation.id).collect())
    }

    /// Reads everything that nobody has read: what a person does after unlocking.
    pub(super) async fn catch_up(&self, board: &Board) -> Result<()> {
        for conversation in self.conversations().await? {
            let messages = self.messages(conversation).await?;
            let ids: Vec<MessageRef> = messages.iter().map(Message::reference).collect();
            if !ids.is_empty() {
                self.client.mark_read(ids.clone()).await?;
                board.read(self.id(), &ids);
            }
        }
        Ok(())
    }
}

/// The app: waits for events, shows what arrived, answers it if its person does, confirms the events.
struct App {
    client: Client,
    script: Option<Arc<Script>>,
    steady: bool,
}

impl App {
    async fn run(self, board: &Board) -> Result<()> {
        let device = self.client.device();
        let mut cursor = EventCursor::default();
        loop {
            let events = self.client.next_events(cursor, EVENTS).await?;
            let mut arrived: Vec<MessageRef> = Vec::new();
            for event in &events {
                cursor = event.cursor;
                match event.event {
                    Event::MessageArrived { message, .. } => arrived.push(message),
                    Event::MessageRecalled { message, .. } if self.steady => {
                        board.recalled(device, message.id);
                    }
                    _ => {}
                }
            }
            board.delivered(device, &arrived, self.steady);
            if !self.client.is_locked() && !arrived.is_empty() {
                let shown = self.client.messages(arrived.clone()).await?;
                anyhow::ensure!(
                    shown.len() == arrived.len(),
                    "a message was announced and is not there"
                );
                self.client.mark_read(arrived.clone()).await?;
                board.read(device, &arrived);
                for message in &shown {
                    self.react(message, board).await?;
                }
            }
            self.client.confirm_events(cursor).await?;
        }
    }

    /// Does with a message what the person does.
    async fn react(&self, message: &Message, board: &Board) -> Result<()> {
        let Some(script) = &self.script else {
            return Ok(());
        };
        let (verdict, words) = match script.reaction(self.client.user(), &message.text) {
            Reaction::None => return Ok(()),
            Reaction::Accept => (Verdict::Accepted, read_back(message)),
            Reaction::Decline => (Verdict::Declined, "scrubbed in, please ask the next".into()),
        };
        self.client
            .answer(message.reference(), verdict, &words)
            .await?;
        board.answered(self.client.user(), message.id);
        Ok(())
    }
}

/// What somebody says who has understood a critical result.
fn read_back(message: &Message) -> String {
    let patient = message.patient.as_ref().map_or("", |patient| &patient.name);
    match &message.structured {
        Some(Structured::CriticalResult(result)) => {
            format!("{} {} of {patient}, I have it", result.value, result.unit)
        }
        _ => format!("{patient}, I have it"),
    }
}

const EVENTS: u32 = 500;
const PAGE: u32 = 500;
