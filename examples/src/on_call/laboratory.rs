//! The laboratory's system: one device that sends every critical result and keeps track of who has it.

use std::time::Duration;

use anyhow::Result;
use tokio::{sync::watch, task::JoinHandle};
use wardline::{
    Client, Draft, EscalationTier, Event, EventCursor, MessageId, MessageRef, Priority, Recipient,
    Structured,
};
use wardline_org::{Clock, SystemClock};

use super::{
    plan::{Fate, Planned},
    rota::Rota,
    site::{Site, passphrase},
};

/// The sending side.
pub(super) struct Laboratory {
    pub(super) client: Client,
    /// The ids of the messages, in the order of the plan.
    sent: Vec<MessageId>,
    /// Tells the version of the directory that it believes.
    versions: watch::Receiver<u64>,
    app: JoinHandle<()>,
}

impl Laboratory {
    pub(super) fn new(client: Client) -> Self {
        let (app, versions) = follow_directory(&client);
        Self {
            client,
            sent: Vec::new(),
            versions,
            app,
        }
    }

    /// The ids of the messages, in the order of the plan.
    pub(super) fn sent(&self) -> &[MessageId] {
        &self.sent
    }

    /// Sends a result to whoever is on call; the stand-in is next, then whoever keeps the line.
    pub(super) async fn send(&mut self, planned: &Planned, rota: &Rota) -> Result<MessageId> {
        let message = self.client.send(draft(planned, rota)).await?;
        self.sent.push(message);
        Ok(message)
    }

    /// Takes a message back: it was about another patient.
    pub(super) async fn recall(&self, number: usize) -> Result<()> {
        Ok(self
            .client
            .recall(self.reference(number), "wrong patient")
            .await?)
    }

    /// What names a message.
    pub(super) fn reference(&self, number: usize) -> MessageRef {
        MessageRef {
            device: self.client.device(),
            id: self.sent[number],
        }
    }

    /// Waits until it believes a version of the directory.
    pub(super) async fn knows(&mut self, version: u64) -> Result<()> {
        self.versions.wait_for(|known| *known >= version).await?;
        Ok(())
    }

    /// Ends it: from now on nobody looks after what it has sent but the relay.
    ///
    /// One process cannot kill a part of itself: the store is closed properly here. Processes that are really killed,
    /// at every named point, are in the whole-system tests.
    pub(super) async fn go_off(&mut self) -> Result<()> {
        self.stop();
        Ok(self.client.close().await?)
    }

    /// Opens it again from its disk.
    pub(super) async fn come_back(&mut self, site: &Site) -> Result<()> {
        self.client = Client::open(site.config(FOLDER)?).await?;
        self.client.unlock(passphrase()?).await?;
        self.client.start()?;
        (self.app, self.versions) = follow_directory(&self.client);
        Ok(())
    }

    pub(super) fn stop(&self) {
        self.app.abort();
        self.client.stop();
    }

    pub(super) async fn close(self) -> Result<()> {
        self.stop();
        Ok(self.client.close().await?)
    }
}

/// The message of a result: critical, about a patient of two identifiers, given to the next when nobody reads it
/// back, and sent once whatever happens.
fn draft(planned: &Planned, rota: &Rota) -> Draft {
    let finding = &planned.finding;
    let draft = Draft::new(Recipient::Role(rota.on_call.clone()), finding.text.clone())
        .priority(Priority::Stat)
        .structured(Structured::CriticalResult(finding.result.clone()))
        .patient(finding.patient.clone())
        .occurred_at(SystemClock.now())
        .answer_within(ANSWER_WITHIN)
        .escalate(EscalationTier::after(ANSWER_WITHIN).role(rota.stand_in.clone()))
        .escalate(EscalationTier::after(ANSWER_WITHIN).person(rota.charge.clone()))
        .idempotency_key(finding.id.clone());
    match planned.fate {
        Fate::Expired => draft.expire_after_sent(PRELIMINARY),
        _ => draft,
    }
}

/// Tells the version of the directory that a client believes, as its events say.
fn follow_directory(client: &Client) -> (JoinHandle<()>, watch::Receiver<u64>) {
    let (tell, versions) = watch::channel(0);
    let client = client.clone();
    let task = tokio::spawn(async move {
        let mut cursor = EventCursor::default();
        while let Ok(events) = client.next_events(cursor, 500).await {
            for event in events {
                cursor = event.cursor;
                if let Event::DirectoryChanged { version } = event.event {
                    let _ = tell.send(version);
                }
            }
            if client.confirm_events(cursor).await.is_err() {
                return;
            }
        }
    });
    (task, versions)
}

/// The name of its folder.
pub(super) const FOLDER: &str = "laboratory";
/// For so long whoever is on call may take. A hospital would say minutes.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// For so long a preliminary result is shown.
pub(super) const PRELIMINARY: Duration = Duration::from_secs(30);
