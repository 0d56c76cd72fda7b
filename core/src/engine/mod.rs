//! The machine: every step of sending and receiving as a function of the transaction, the time and
//! its input.
//!
//! The contract, stated once: a step gets a [`Step`] (the open transaction, what is cached beside it,
//! who we are, the time) and its input; it changes rows and caches and answers what the shell has to
//! do next. It makes no call, reads no clock, starts no task. Its changes become true together, when
//! the transaction commits, or not at all.
//!
//! * [`drafting`]: from a draft to what may be said; [`outbox`]: to a message that is sealed or waits; [`sealing`]: for the [`audience`]
//!   that the directory proves; [`posting`]: sealed submissions, and what the relay said of them.
//! * [`answering`], [`amending`] and [`recalling`]: accepting, declining, correcting and taking back, here and as
//!   others do it.
//! * [`holding`]: what is sealed for others in case nobody answers; [`escalating`]: what comes of that,
//!   here and there; [`stopping`]: the answers that end it.
//! * [`inbox`]: from a batch of envelopes to messages; [`control`]: what devices tell each other.
//! * [`upkeep`]: keys to offer, receipts to seal, envelopes to ask for again. [`keyless`]: whom to ask for
//!   keys again, and when. [`hold_keys`]: the keys that are sealed to what may be given later.
//! * [`roles`]: who is reached through a role, and who may speak for one; [`custody`]: what was written to one goes on
//!   to whoever holds it now.
//! * [`reminding`]: giving notice again of what nobody has answered. [`expiring`]: ending what is over.
//! * [`delegating`]: who is given what is for somebody who is away. [`reaching`]: whether people can be reached.
//! * [`event`]: what the app is told.
//! * [`points`]: where a test may end the process.
//!
//! Not its concern: the network and the loop, which are `client`'s.

pub(crate) mod amending;
pub(crate) mod answering;
pub(crate) mod attempt;
pub(crate) mod audience;
pub(crate) mod choosing;
mod control;
pub(crate) mod custody;
mod delegating;
mod drafting;
mod envelopes;
pub(crate) mod escalating;
pub(crate) mod event;
pub(crate) mod expiring;
mod failing;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod forging;
pub(crate) mod forwarding;
pub(crate) mod hold_keys;
mod holding;
pub(crate) mod inbox;
mod keeping;
mod keyless;
pub(crate) mod outbox;
mod passed;
mod placing;
pub(crate) mod points;
pub(crate) mod posting;
pub(crate) mod reaching;
pub(crate) mod recalling;
pub(crate) mod reminding;
pub(crate) mod reseal;
pub(crate) mod roles;
mod sealing;
pub(crate) mod stopping;
pub(crate) mod upkeep;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rusqlite::Connection;
use tokio::sync::broadcast;
use wardline_org::{DeviceId, EntryKey, Timestamp, UserId};
use wardline_sqlite::{Companion, Work};

use self::{hold_keys::HoldKeys, keyless::Keyless};
use crate::{
    audit::{self, Action},
    directory::Directory,
    error::Error,
    message::clocks::Clocks,
    session::{identity::DeviceIdentity, ratchets::Ratchets},
    vault::{BodySealer, ReadingKeys, ReadingPublicKey},
};

/// What lives beside the database on the writer's thread.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) ratchets: Ratchets,
    pub(crate) directory: Directory,
    /// Entries that somebody waits for.
    pub(crate) wanted_entries: BTreeSet<EntryKey>,
    /// People of whom somebody waits to know whether they can be reached.
    pub(crate) wanted_reach: BTreeSet<UserId>,
    /// Devices that somebody waits for a session with.
    pub(crate) wanted_keys: BTreeSet<DeviceId>,
    /// Devices that had no key to offer.
    pub(crate) keyless: Keyless,
    /// Hold keys of others.
    pub(crate) hold_keys: HoldKeys,
    /// Devices whose session failed us, until a new one is there.
    pub(crate) broken_sessions: BTreeSet<DeviceId>,
    /// Devices with a new session that has not been used to ask for what failed.
    pub(crate) fresh_sessions: BTreeSet<DeviceId>,
    /// Envelopes that were refused in a batch, and are posted alone to learn which of them it was.
    pub(crate) alone: BTreeSet<Vec<u8>>,
    /// Envelopes for which the relay had no room, and when to post them again.
    pub(crate) held_back: BTreeMap<Vec<u8>, Timestamp>,
    changed: Changes,
    listeners: broadcast::Sender<Changes>,
}

/// Which parts of the store a commit has changed, for live queries and the loop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Rows of conversations with new or changed messages.
    pub(crate) conversations: BTreeSet<i64>,
    /// There are new events.
    pub(crate) events: bool,
    /// There is something to send.
    pub(crate) outgoing: bool,
    /// Another process has written, or who may read has changed: anything may have changed.
    pub(crate) everything: bool,
}

impl Changes {
    /// Adds what another commit has changed.
    pub(crate) fn merge(&mut self, other: Self) {
        self.conversations.extend(other.conversations);
        self.events |= other.events;
        self.outgoing |= other.outgoing;
        self.everything |= other.everything;
    }
}

impl Memory {
    pub(crate) fn new(listeners: broadcast::Sender<Changes>) -> Self {
        Self {
            ratchets: Ratchets::default(),
            directory: Directory::default(),
            wanted_entries: BTreeSet::new(),
            wanted_reach: BTreeSet::new(),
            wanted_keys: BTreeSet::new(),
            keyless: Keyless::default(),
            hold_keys: HoldKeys::default(),
            broken_sessions: BTreeSet::new(),
            fresh_sessions: BTreeSet::new(),
            alone: BTreeSet::new(),
            held_back: BTreeMap::new(),
            changed: Changes::default(),
            listeners,
        }
    }
}

impl Companion for Memory {
    fn begun(&mut self, foreign: bool) {
        if foreign {
            self.ratchets.forget();
            self.directory.forget();
            self.changed.everything = true;
        }
    }

    fn job_failed(&mut self) {
        self.ratchets.job_failed();
        self.directory.forget();
    }

    fn committed(&mut self) {
        self.ratchets.committed();
        let changed = std::mem::take(&mut self.changed);
        if changed != Changes::default() {
            // Nobody listening is fine.
            let _ = self.listeners.send(changed);
        }
    }

    fn lost(&mut self) {
        self.ratchets.forget();
        self.directory.forget();
        self.changed = Changes::default();
    }
}

/// What a step knows about its client; a snapshot from outside the transaction.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) identity: DeviceIdentity,
    /// There while a person reads.
    pub(crate) reading: Option<Arc<ReadingKeys>>,
    pub(crate) reading_public: ReadingPublicKey,
    /// The relay has confirmed since this open that the store is not an old copy.
    pub(crate) checkpoint_confirmed: bool,
    /// The head was confirmed as the newest within the policy's refresh time.
    pub(crate) head_confirmed: bool,
    pub(crate) now: Timestamp,
    /// What the clocks show; `now` is the device's.
    pub(crate) clocks: Clocks,
}

impl Context {
    /// Seals bodies for the person, whether or not the person is there.
    pub(crate) fn body_sealer(&self) -> Result<BodySealer<'_>, Error> {
        Ok(match &self.reading {
            Some(keys) => BodySealer::reading(keys),
            None => BodySealer::locked_batch(&self.reading_public)?,
        })
    }
}

/// One step's view of the world.
pub(crate) struct Step<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) memory: &'a mut Memory,
    pub(crate) context: &'a Context,
}

impl Step<'_> {
    pub(crate) fn now(&self) -> Timestamp {
        self.context.now
    }

    pub(crate) fn us(&self) -> DeviceId {
        self.context.identity.device_id
    }

    pub(crate) fn audit(&self, action: Action, subject: &[u8]) -> Result<(), Error> {
        Ok(audit::record(self.connection, self.now(), action, subject)?)
    }

    pub(crate) fn emit(&mut self, event: &event::Event) -> Result<(), Error> {
        self.announce(event).map(drop)
    }

    /// [`Step::emit`], answering the event's place.
    pub(crate) fn announce(&mut self, event: &event::Event) -> Result<event::EventCursor, Error> {
        self.memory.changed.events = true;
        Ok(event::emit(self.connection, self.now(), event)?)
    }

    /// Asks for a session with a device, unless it had no key to offer a short while ago. The entry that
    /// lists it must be proven under the current head: its keys are held against that.
    pub(crate) fn want_session(&mut self, device: DeviceId) {
        if self.memory.keyless.is_due(&device, self.now()) {
            self.memory.wanted_keys.insert(device);
        }
    }

    pub(crate) fn conversation_changed(&mut self, conversation: i64) {
        self.memory.changed.conversations.insert(conversation);
    }

    pub(crate) fn outgoing_changed(&mut self) {
        self.memory.changed.outgoing = true;
    }
}

/// What a job of the writer lets the engine see.
pub(crate) fn view<'a>(work: &'a mut Work<'_, Memory>, context: &'a Context) -> Step<'a> {
    Step {
        connection: work.connection,
        memory: &mut *work.companion,
        context,
    }
}

/// Runs one step: whatever ratchets it moved are written before it ends.
pub(crate) fn run<T>(
    view: &mut Step<'_>,
    step: impl FnOnce(&mut Step<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let answer = step(view)?;
    view.memory.ratchets.flush(view.connection)?;
    Ok(answer)
}

#[cfg(test)]
mod tests;
