//! One device of one person, and the app on it: it is told of messages, opens them and reads them.

use std::sync::Arc;

use anyhow::Result;
use tokio::task::JoinHandle;
use wardline::{Client, ConversationId, Event, EventCursor, Message, MessageRef};
use wardline_org::{DeviceId, UserId};

use super::{
    board::Board,
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
    app: Option<JoinHandle<()>>,
}

impl Device {
    pub(super) fn new(client: Client, habit: Habit, name: String) -> Self {
        Self {
            client,
            habit,
            name,
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
        let (client, board, steady) = (
            self.client.clone(),
            Arc::clone(board),
            self.habit.is_steady(),
        );
        self.app = Some(tokio::spawn(async move {
            if let Err(error) = app(client, &board, steady).await {
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

    /// Reads everything in a conversation that nobody has read: what a person does after unlocking.
    pub(super) async fn catch_up(&self, conversation: ConversationId, board: &Board) -> Result<()> {
        let messages = self.messages(conversation).await?;
        let ids: Vec<MessageRef> = messages.iter().map(Message::reference).collect();
        if !ids.is_empty() {
            self.client.mark_read(ids.clone()).await?;
            board.read(self.id(), &ids);
        }
        Ok(())
    }
}

/// What an app does: waits for events, shows what arrived, confirms the events.
async fn app(client: Client, board: &Board, steady: bool) -> Result<()> {
    let device = client.device();
    let mut cursor = EventCursor::default();
    loop {
        let events = client.next_events(cursor, EVENTS).await?;
        let mut arrived: Vec<MessageRef> = Vec::new();
        for event in &events {
            cursor = event.cursor;
            if let Event::MessageArrived { message, .. } = event.event {
                arrived.push(message);
            }
        }
        board.delivered(device, &arrived, steady);
        if !client.is_locked() && !arrived.is_empty() {
            let shown = client.messages(arrived.clone()).await?;
            anyhow::ensure!(
                shown.len() == arrived.len(),
                "a message was announced and is not there"
            );
            client.mark_read(arrived.clone()).await?;
            board.read(device, &arrived);
        }
        client.confirm_events(cursor).await?;
    }
}

const EVENTS: u32 = 500;
const PAGE: u32 = 500;
