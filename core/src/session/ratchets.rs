//! The live Olm account and sessions, beside the disk and never ahead of it.
//!
//! Lives in the writer's companion, so it is only ever touched inside a write transaction. A job
//! works on the live ratchets and ends with [`Ratchets::flush`], which writes what moved; when the
//! job or its transaction fails, what it touched is forgotten and read again from the disk. So a
//! ratchet in memory is either as on disk or part of the open transaction. Nothing is copied.
//!
//! Not its concern: what is encrypted, and for whom.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};
use vodozemac::olm::{Account, OlmMessage, Session, SessionConfig, SessionPickle};
use wardline_org::{DeviceId, Timestamp};
use zeroize::Zeroizing;

use super::{OpenFailure, identity};
use crate::store::StoreError;

/// The cache of the account and of sessions by device.
#[derive(Default)]
pub(crate) struct Ratchets {
    account: Option<LiveAccount>,
    peers: HashMap<DeviceId, Vec<LiveSession>>,
    /// Devices whose sessions the running job has touched.
    touched: HashSet<DeviceId>,
}

struct LiveAccount {
    account: Account,
    dirty: bool,
}

struct LiveSession {
    id: Vec<u8>,
    session: Session,
    /// Grows with every use; the session used last is the one both sides still have.
    used: i64,
    dirty: bool,
}

/// Who is said to have sealed an envelope, as the directory proves them.
#[derive(Clone, Copy)]
pub(crate) struct Sender {
    pub(crate) device_id: DeviceId,
    pub(crate) curve25519: [u8; 32],
}

/// Olm's own message type and ciphertext.
pub(crate) type OlmParts = (u32, Vec<u8>);

impl Ratchets {
    /// Encrypts with the newest session of a device; `None` when there is none.
    pub(crate) fn encrypt(
        &mut self,
        connection: &Connection,
        device: DeviceId,
        plaintext: &[u8],
    ) -> Result<Option<OlmParts>, StoreError> {
        let sessions = self.sessions(connection, device)?;
        let Some(newest) = sessions.first_mut() else {
            return Ok(None);
        };
        newest.dirty = true;
        // Refused only for a ratchet key without contribution: as good as no session.
        let Ok(message) = newest.session.encrypt(plaintext) else {
            return Ok(None);
        };
        let (kind, ciphertext) = message.to_parts();
        Ok(Some((u32::try_from(kind).unwrap_or(u32::MAX), ciphertext)))
    }

    /// Decrypts a message, with a session there is or with a new one that its pre-key message starts.
    pub(crate) fn decrypt(
        &mut self,
        connection: &Connection,
        sender: Sender,
        message: &OlmParts,
        now: Timestamp,
    ) -> Result<Result<Zeroizing<Vec<u8>>, OpenFailure>, StoreError> {
        let kind = usize::try_from(message.0).unwrap_or(usize::MAX);
        let Ok(message) = OlmMessage::from_parts(kind, &message.1) else {
            return Ok(Err(OpenFailure::Malformed));
        };
        let used = self.next_use(connection, sender.device_id)?;
        let sessions = self.sessions(connection, sender.device_id)?;
        let started_by = match &message {
            OlmMessage::PreKey(pre_key) => Some(pre_key.session_id()),
            OlmMessage::Normal(_) => None,
        };
        for live in sessions.iter_mut() {
            if started_by
                .as_ref()
                .is_some_and(|id| live.id != id.as_bytes())
            {
                continue;
            }
            if let Ok(plaintext) = live.session.decrypt(&message) {
                live.used = used;
                live.dirty = true;
                sessions.sort_by_key(|live| std::cmp::Reverse(live.used));
                return Ok(Ok(Zeroizing::new(plaintext)));
            }
            if started_by.is_some() {
                // Its session is here and does not open it: altered on the way, or opened before.
                return Ok(Err(OpenFailure::Undecryptable));
            }
        }
        let OlmMessage::PreKey(pre_key) = message else {
            return Ok(Err(OpenFailure::Undecryptable));
        };
        if pre_key.identity_key().as_bytes() != &sender.curve25519 {
            return Ok(Err(OpenFailure::WrongIdentity));
        }
        // A pre-key message that used the fallback key could be opened again and again.
        let base_key = pre_key.base_key().to_bytes();
        let seen = connection
            .prepare_cached("SELECT 1 FROM base_key WHERE base_key = ?1")?
            .exists(params![base_key])?;
        if seen {
            return Ok(Err(OpenFailure::Replayed));
        }
        let identity = pre_key.identity_key();
        let account = self.account_mut(connection)?;
        let Ok(created) =
            account.create_inbound_session(SessionConfig::version_2(), identity, &pre_key)
        else {
            return Ok(Err(OpenFailure::Undecryptable));
        };
        connection
            .prepare_cached("INSERT INTO base_key (base_key, seen_at) VALUES (?1, ?2)")?
            .execute(params![base_key, now.as_millis()])?;
        self.insert(connection, sender.device_id, created.session)?;
        Ok(Ok(Zeroizing::new(created.plaintext)))
    }

    /// Whether a message can be sealed for a device right now.
    pub(crate) fn has_session(
        &mut self,
        connection: &Connection,
        device: DeviceId,
    ) -> Result<bool, StoreError> {
        Ok(!self.sessions(connection, device)?.is_empty())
    }

    /// Takes a session in as the newest of its device; the oldest beyond [`MOST_PER_DEVICE`] go.
    pub(crate) fn insert(
        &mut self,
        connection: &Connection,
        device: DeviceId,
        session: Session,
    ) -> Result<(), StoreError> {
        let used = self.next_use(connection, device)?;
        let sessions = self.sessions(connection, device)?;
        let id = session.session_id().into_bytes();
        sessions.retain(|live| live.id != id);
        sessions.insert(
            0,
            LiveSession {
                id,
                session,
                used,
                dirty: true,
            },
        );
        let surplus = sessions.split_off(MOST_PER_DEVICE.min(sessions.len()));
        let mut delete = connection
            .prepare_cached("DELETE FROM session WHERE device_id = ?1 AND session_id = ?2")?;
        for gone in surplus {
            delete.execute(params![device.as_bytes(), gone.id])?;
        }
        Ok(())
    }

    /// The account, to look at.
    pub(crate) fn account(&mut self, connection: &Connection) -> Result<&Account, StoreError> {
        Ok(&self.live_account(connection)?.account)
    }

    /// The account, to make, use or publish keys with. The next flush writes it, and counts it as a step:
    /// only for what really changes it, or the counter runs ahead of what the relay is ever shown.
    pub(crate) fn account_mut(
        &mut self,
        connection: &Connection,
    ) -> Result<&mut Account, StoreError> {
        let live = self.live_account(connection)?;
        live.dirty = true;
        Ok(&mut live.account)
    }

    fn live_account(&mut self, connection: &Connection) -> Result<&mut LiveAccount, StoreError> {
        let live = match self.account.take() {
            Some(live) => live,
            None => {
                let stored: Zeroizing<Vec<u8>> = connection
                    .prepare_cached("SELECT account FROM device")?
                    .query_row([], |row| row.get(0).map(Zeroizing::new))?;
                let account = identity::load_account(&stored)
                    .ok_or(StoreError::Damaged { what: "account" })?;
                LiveAccount {
                    account,
                    dirty: false,
                }
            }
        };
        Ok(self.account.insert(live))
    }

    /// Writes everything the job moved and counts it as one step of the rollback counter.
    ///
    /// Every job that may have used a ratchet ends with this, inside its savepoint.
    pub(crate) fn flush(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut moved = false;
        let mut write = connection.prepare_cached(
            "INSERT INTO session (device_id, session_id, state, used) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (device_id, session_id)
             DO UPDATE SET state = excluded.state, used = excluded.used",
        )?;
        for device in &self.touched {
            for live in self
                .peers
                .get_mut(device)
                .into_iter()
                .flatten()
                .filter(|live| live.dirty)
            {
                let state = save_session(&live.session)?;
                write.execute(params![
                    device.as_bytes(),
                    live.id,
                    state.as_slice(),
                    live.used
                ])?;
                live.dirty = false;
                moved = true;
            }
        }
        if let Some(live) = self.account.as_mut().filter(|live| live.dirty) {
            let state = identity::save_account(&live.account)
                .ok_or(StoreError::Damaged { what: "account" })?;
            connection
                .prepare_cached("UPDATE device SET account = ?1")?
                .execute(params![state.as_slice()])?;
            live.dirty = false;
            moved = true;
        }
        if moved {
            connection
                .prepare_cached("UPDATE device SET ratchet_counter = ratchet_counter + 1")?
                .execute([])?;
        }
        self.touched.clear();
        Ok(())
    }

    /// Drops every session and every one-time key: the store was found to be an old copy.
    pub(crate) fn retire(&mut self, connection: &Connection) -> Result<(), StoreError> {
        connection.execute("DELETE FROM session", [])?;
        self.peers.clear();
        self.touched.clear();
        // The identity as it was made, before it had any one-time key.
        let identity: Zeroizing<Vec<u8>> =
            connection.query_row("SELECT identity FROM device", [], |row| {
                row.get(0).map(Zeroizing::new)
            })?;
        let account =
            identity::load_account(&identity).ok_or(StoreError::Damaged { what: "identity" })?;
        self.account = Some(LiveAccount {
            account,
            dirty: true,
        });
        Ok(())
    }

    /// The job was rolled back: forget what it touched.
    pub(crate) fn job_failed(&mut self) {
        for device in self.touched.drain() {
            self.peers.remove(&device);
        }
        self.account = None;
    }

    /// The transaction is on disk: keep the memory within its bound.
    pub(crate) fn committed(&mut self) {
        if self.peers.len() > MOST_DEVICES {
            let mut uses: Vec<i64> = self
                .peers
                .values()
                .map(|live| live.first().map_or(0, |live| live.used))
                .collect();
            uses.sort_unstable();
            let median = uses.get(uses.len() / 2).copied().unwrap_or(0);
            self.peers
                .retain(|_, live| live.first().map_or(0, |live| live.used) > median);
        }
    }

    /// Nothing in memory may be believed any more.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The sessions of a device, newest first, loaded when they are not in memory.
    fn sessions(
        &mut self,
        connection: &Connection,
        device: DeviceId,
    ) -> Result<&mut Vec<LiveSession>, StoreError> {
        self.touched.insert(device);
        match self.peers.entry(device) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(unknown) => {
                Ok(unknown.insert(load_sessions(connection, device)?))
            }
        }
    }

    fn next_use(&mut self, connection: &Connection, device: DeviceId) -> Result<i64, StoreError> {
        let newest = self
            .sessions(connection, device)?
            .first()
            .map_or(0, |live| live.used);
        Ok(newest.saturating_add(1))
    }
}

impl std::fmt::Debug for Ratchets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ratchets")
            .field("devices", &self.peers.len())
            .finish_non_exhaustive()
    }
}

/// The counter that a relay remembers, to notice a store that went back in time.
pub(crate) fn counter(connection: &Connection) -> Result<u64, StoreError> {
    let counter: Option<i64> = connection
        .prepare_cached("SELECT ratchet_counter FROM device")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(counter
        .and_then(|counter| u64::try_from(counter).ok())
        .unwrap_or(0))
}

fn load_sessions(
    connection: &Connection,
    device: DeviceId,
) -> Result<Vec<LiveSession>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT session_id, state, used FROM session WHERE device_id = ?1 ORDER BY used DESC",
    )?;
    let mut rows = statement.query(params![device.as_bytes()])?;
    let mut sessions = Vec::new();
    while let Some(row) = rows.next()? {
        let state: Zeroizing<Vec<u8>> = Zeroizing::new(row.get(1)?);
        let pickle: SessionPickle =
            rmp_serde::from_slice(&state).map_err(|_| StoreError::Damaged { what: "session" })?;
        sessions.push(LiveSession {
            id: row.get(0)?,
            session: Session::from_pickle(pickle),
            used: row.get(2)?,
            dirty: false,
        });
    }
    Ok(sessions)
}

fn save_session(session: &Session) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    rmp_serde::to_vec(&session.pickle())
        .map(Zeroizing::new)
        .map_err(|_| StoreError::Damaged { what: "session" })
}

/// Two for peers that start sessions at the same moment, two for a heal on either side.
const MOST_PER_DEVICE: usize = 4;
/// About 9 KiB a session: a bound for phones, above every care team and most broadcasts.
const MOST_DEVICES: usize = 1024;
