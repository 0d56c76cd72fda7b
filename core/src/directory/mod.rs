//! Whom this device believes: the proven part of the directory that it has fetched.
//!
//! A phone never holds the whole directory. Entries are fetched when somebody is written to or heard
//! from, proven under the current head, and proven again once a newer head is accepted. An entry that
//! was proven under an older head only is *outdated*: good for showing a name, not for sealing.
//!
//! Not its concern: asking the relay (`client`), and what proofs are (`wardline-org`).

pub(crate) mod reach;

use std::{collections::HashMap, sync::Arc};

use rusqlite::{Connection, OptionalExtension, params};
use wardline_org::{
    Credential, DeviceId, EntryKey, Timestamp, UserId,
    entry::Entry,
    hash::Hash,
    person::{Person, PersonStatus},
    policy::Policy,
    trust::{Accepted, Freshness, Standing, Trust},
};
use wardline_proto::v1;

pub use self::reach::Reachability;
use crate::{error::Error, session::ratchets::Sender, store::StoreError};

/// The proven entries, cached beside the store on the writer's thread.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    trust: Option<Trust>,
    entries: HashMap<EntryKey, Cached>,
}

#[derive(Debug, Clone)]
struct Cached {
    head_version: u64,
    entry: Option<Arc<Entry>>,
}

/// What is known about a key.
#[derive(Debug, Clone)]
pub(crate) enum Lookup {
    /// Proven under the current head.
    Present(Arc<Entry>),
    /// Proven absent under the current head.
    Absent,
    /// Never fetched, or proven under an older head only (then with what was proven).
    Unproven(Option<Arc<Entry>>),
}

/// The sender of an envelope as the directory proves it.
#[derive(Debug, Clone)]
pub(crate) struct ProvenSender {
    pub(crate) user: UserId,
    pub(crate) ed25519: [u8; 32],
    pub(crate) curve25519: [u8; 32],
    /// Neither revoked nor of a person who has left.
    pub(crate) active: bool,
}

impl Directory {
    /// What is believed about the organization as a whole.
    pub(crate) fn trust(&mut self, connection: &Connection) -> Result<&Trust, StoreError> {
        let trust = match self.trust.take() {
            Some(trust) => trust,
            None => load_trust(connection)?,
        };
        Ok(self.trust.insert(trust))
    }

    /// How far the current head can be relied on. A device's own clock may have been turned back, but
    /// never behind the time at which the head was signed.
    pub(crate) fn freshness(
        &mut self,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<Freshness, StoreError> {
        let trust = self.trust(connection)?;
        let signed_at = trust.head().map_or(now, |head| head.head().issued_at);
        Ok(trust.freshness(now.max(signed_at)))
    }

    /// When the current head was issued, and until when it is fresh; `None` before there is one.
    pub(crate) fn validity(
        &mut self,
        connection: &Connection,
    ) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
        let head = self.trust(connection)?.head();
        Ok(head.map(|head| (head.head().issued_at, head.head().expires_at)))
    }

    /// The policy in force, or the defaults before there is one.
    pub(crate) fn policy(&mut self, connection: &Connection) -> Result<Policy, StoreError> {
        let trust = self.trust(connection)?;
        Ok(trust
            .policy()
            .cloned()
            .unwrap_or_else(|| Policy::new(trust.org().clone())))
    }

    /// The version of the current head; 0 before there is one.
    fn head_version(&mut self, connection: &Connection) -> Result<u64, StoreError> {
        let head = self.trust(connection)?.head();
        Ok(head.map_or(0, |head| head.head().version))
    }

    /// Version and hash of the current head.
    pub(crate) fn head(
        &mut self,
        connection: &Connection,
    ) -> Result<Option<(u64, Hash)>, StoreError> {
        let trust = self.trust(connection)?;
        Ok(trust.head().map(|head| (head.head().version, head.hash())))
    }

    /// What is known about a key.
    pub(crate) fn entry(
        &mut self,
        connection: &Connection,
        key: &EntryKey,
    ) -> Result<Lookup, StoreError> {
        let current = self.head_version(connection)?;
        let cached = match self.entries.get(key) {
            Some(cached) => Some(cached.clone()),
            None => {
                let org = self.trust(connection)?.org().clone();
                let loaded = load_entry(connection, &org, key)?;
                if let Some(loaded) = &loaded {
                    self.entries.insert(key.clone(), loaded.clone());
                }
                loaded
            }
        };
        Ok(match cached {
            Some(Cached {
                head_version,
                entry,
            }) if head_version == current => entry.map_or(Lookup::Absent, Lookup::Present),
            Some(Cached { entry, .. }) => Lookup::Unproven(entry),
            None => Lookup::Unproven(None),
        })
    }

    /// The device of a person, if a proven entry lists it.
    pub(crate) fn sender(
        &mut self,
        connection: &Connection,
        user: &UserId,
        device: DeviceId,
    ) -> Result<SenderLookup, StoreError> {
        let key = EntryKey::Person(user.clone());
        Ok(match self.entry(connection, &key)? {
            Lookup::Present(entry) => match proven_sender(&entry, device) {
                Some(sender) => SenderLookup::Proven(sender),
                None => SenderLookup::Refuted,
            },
            Lookup::Absent => SenderLookup::Refuted,
            Lookup::Unproven(_) => SenderLookup::Ask(key),
        })
    }

    /// The credentials of every active device that was looked up under the current head.
    pub(crate) fn credentials(&self) -> HashMap<DeviceId, &Credential> {
        let Some(head) = self.trust.as_ref().and_then(Trust::head) else {
            return HashMap::new();
        };
        self.entries
            .values()
            .filter(|cached| cached.head_version == head.head().version)
            .filter_map(|cached| cached.entry.as_ref()?.person())
            .flat_map(Person::active_devices)
            .map(|device| (device.id(), device.credential.credential()))
            .collect()
    }

    /// Takes in an answer to [`Trust::request`], all of it or nothing.
    pub(crate) fn accept_head(
        &mut self,
        connection: &Connection,
        answer: &v1::HeadResponse,
    ) -> Result<Accepted, Error> {
        let mut trust = self.trust(connection)?.clone();
        let accepted = trust.accept(answer)?;
        if accepted.root_changed || accepted.head_changed || accepted.policy_changed {
            save_trust(connection, &trust)?;
            self.trust = Some(trust);
        }
        Ok(accepted)
    }

    /// What to ask for some keys: entries already held are only to be proven again.
    pub(crate) fn queries(
        &mut self,
        connection: &Connection,
        keys: impl IntoIterator<Item = EntryKey>,
    ) -> Result<Vec<v1::EntryQuery>, StoreError> {
        keys.into_iter()
            .map(|key| {
                let known = match self.entry(connection, &key)? {
                    Lookup::Present(entry) | Lookup::Unproven(Some(entry)) => {
                        entry.hash().as_bytes().to_vec()
                    }
                    Lookup::Absent | Lookup::Unproven(None) => Vec::new(),
                };
                Ok(v1::EntryQuery {
                    key: key.to_string(),
                    known_hash: known,
                })
            })
            .collect()
    }

    /// Takes in proven entries, all of them or none.
    pub(crate) fn accept_entries(
        &mut self,
        connection: &Connection,
        queries: &[v1::EntryQuery],
        answer: &v1::EntriesResponse,
    ) -> Result<(), Error> {
        let standings = self.trust(connection)?.verify_entries(queries, answer)?;
        for (query, standing) in queries.iter().zip(standings) {
            let Ok(key) = query.key.parse::<EntryKey>() else {
                continue;
            };
            let entry = match standing {
                Standing::Present(entry) => Some(Arc::new(*entry)),
                Standing::Absent => None,
                Standing::Unchanged => match self.entry(connection, &key)? {
                    Lookup::Present(entry) | Lookup::Unproven(Some(entry)) => Some(entry),
                    Lookup::Absent | Lookup::Unproven(None) => continue,
                },
            };
            let cached = Cached {
                head_version: answer.head_version,
                entry,
            };
            save_entry(connection, &key, &cached)?;
            self.entries.insert(key, cached);
        }
        Ok(())
    }

    /// Nothing in memory may be believed any more.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// Whether the directory proves a sender.
#[derive(Debug, Clone)]
pub(crate) enum SenderLookup {
    /// The current directory lists the device.
    Proven(ProvenSender),
    /// The current directory does not.
    Refuted,
    /// This entry has to be fetched first.
    Ask(EntryKey),
}

impl ProvenSender {
    pub(crate) fn as_sender(&self, device_id: DeviceId) -> Sender {
        Sender {
            device_id,
            curve25519: self.curve25519,
        }
    }
}

/// The devices of a person that may be sealed for.
pub(crate) fn active_devices(person: &Person) -> Vec<DeviceId> {
    if person.status == PersonStatus::Active {
        person
            .active_devices()
            .map(wardline_org::person::Device::id)
            .collect()
    } else {
        Vec::new()
    }
}

/// Starts believing in an organization: nothing but its pinned root.
pub(crate) fn save_trust(connection: &Connection, trust: &Trust) -> Result<(), StoreError> {
    let state =
        rmp_serde::to_vec_named(trust).map_err(|_| StoreError::Damaged { what: "trust" })?;
    connection
        .prepare_cached(
            "INSERT INTO trust (singleton, state) VALUES (1, ?1)
             ON CONFLICT (singleton) DO UPDATE SET state = excluded.state",
        )?
        .execute(params![state])?;
    Ok(())
}

/// Whether a head was ever accepted: until then this device was not known to be listed.
pub(crate) fn has_head(connection: &Connection) -> Result<bool, StoreError> {
    Ok(load_trust(connection)?.head().is_some())
}

fn load_trust(connection: &Connection) -> Result<Trust, StoreError> {
    let state: Vec<u8> = connection
        .prepare_cached("SELECT state FROM trust")?
        .query_row([], |row| row.get(0))?;
    rmp_serde::from_slice(&state).map_err(|_| StoreError::Damaged { what: "trust" })
}

fn load_entry(
    connection: &Connection,
    org: &wardline_org::OrgId,
    key: &EntryKey,
) -> Result<Option<Cached>, StoreError> {
    let row: Option<(Option<Vec<u8>>, u64)> = connection
        .prepare_cached("SELECT bytes, head_version FROM entry WHERE key = ?1")?
        .query_row(params![key.to_string()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((bytes, head_version)) = row else {
        return Ok(None);
    };
    let entry = bytes
        .map(|bytes| Entry::parse_stored(org, &bytes))
        .transpose()
        .map_err(|_| StoreError::Damaged { what: "entry" })?;
    Ok(Some(Cached {
        head_version,
        entry: entry.map(Arc::new),
    }))
}

fn save_entry(connection: &Connection, key: &EntryKey, cached: &Cached) -> Result<(), StoreError> {
    let bytes = cached.entry.as_ref().map(|entry| entry.bytes());
    connection
        .prepare_cached(
            "INSERT INTO entry (key, bytes, head_version) VALUES (?1, ?2, ?3)
             ON CONFLICT (key)
             DO UPDATE SET bytes = excluded.bytes, head_version = excluded.head_version",
        )?
        .execute(params![key.to_string(), bytes, cached.head_version])?;
    Ok(())
}

fn proven_sender(entry: &Entry, device: DeviceId) -> Option<ProvenSender> {
    let person = entry.person()?;
    let listed = person.device(device)?;
    let credential = listed.credential.credential();
    Some(ProvenSender {
        user: person.user.clone(),
        ed25519: credential.ed25519,
        curve25519: credential.curve25519,
        active: listed.is_active() && person.status == PersonStatus::Active,
    })
}
