//! A small organization whose keys are all at hand, so that a test can sign what no authority would.

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use wardline_org::directory::{Directory, PublishError, StoredDirectory};
use wardline_org::entry::{Entry, EntryBody};
use wardline_org::head::{Head, SignedHead};
use wardline_org::log::HeadLog;
use wardline_org::person::{ChangeKind, Device as Listed, DeviceChange, Person};
use wardline_org::policy::{Policy, SignedPolicy};
use wardline_org::root::{Purpose, Root, SignedRoot};
use wardline_org::tree::EntryTree;
use wardline_org::trust::Trust;
use wardline_org::{EntryKey, Hash, OrgId, Signer, SoftwareSigner, Timestamp};
use wardline_proto::v1;

use crate::support::{Device, start};

/// A key that follows from a number.
pub(crate) fn key(seed: u8) -> SoftwareSigner {
    SoftwareSigner::from_seed(&[seed; 32])
}

pub(crate) fn org() -> OrgId {
    "mercy".parse().unwrap()
}

pub(crate) const ROOT_SEEDS: [u8; 3] = [101, 102, 103];
pub(crate) const HEAD_SEED: u8 = 110;
pub(crate) const POLICY_SEED: u8 = 111;

/// Version 1: two of three root keys, one key for each purpose.
pub(crate) fn first_root() -> Root {
    let purposes = Purpose::ALL.into_iter().zip(HEAD_SEED..);
    Root {
        org: org(),
        version: 1,
        threshold: 2,
        root_keys: ROOT_SEEDS.map(|seed| key(seed).public_key()).to_vec(),
        keys: purposes
            .map(|(purpose, seed)| (purpose, key(seed).public_key()))
            .collect(),
    }
}

pub(crate) fn sign_root(root: &Root, seeds: &[u8]) -> SignedRoot {
    let keys: Vec<_> = seeds.iter().map(|seed| key(*seed)).collect();
    let signers: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
    SignedRoot::sign(root, &signers).unwrap()
}

/// A person with the given devices, added one after the other.
pub(crate) fn person(user: &str, devices: &[&Device]) -> Person {
    let mut person = Person::new(user.parse().unwrap(), format!("Name of {user}"));
    for device in devices {
        let change = DeviceChange::next(
            person.device_changes.last(),
            device.id(),
            ChangeKind::Added,
            start(),
        );
        person.device_changes.push(change);
        person.devices.push(Listed {
            credential: device.credential.clone(),
            enrolled_at: start(),
            revoked_at: None,
            vouches: Vec::new(),
        });
    }
    person
}

pub(crate) struct Hospital {
    pub(crate) root: SignedRoot,
    pub(crate) policy: SignedPolicy,
    pub(crate) directory: Directory,
    /// What the relay would have in its storage.
    pub(crate) stored: BTreeMap<EntryKey, Vec<u8>>,
    /// Every published head, the current one last.
    pub(crate) heads: Vec<Hash>,
    pub(crate) now: Timestamp,
}

impl Hospital {
    pub(crate) fn new() -> Self {
        let root = sign_root(&first_root(), &ROOT_SEEDS[..2]);
        Self {
            policy: SignedPolicy::sign(&Policy::new(org()), &key(POLICY_SEED)).unwrap(),
            directory: Directory::new(org(), root.hash()),
            root,
            stored: BTreeMap::new(),
            heads: Vec::new(),
            now: start(),
        }
    }

    /// A hospital that has published these people.
    pub(crate) fn with_people(users: &[&str]) -> Self {
        let mut hospital = Self::new();
        hospital.publish(users.iter().map(|user| person(user, &[])).collect());
        hospital
    }

    /// The head that would come next if the entries were these.
    pub(crate) fn next_head(&self, tree: &EntryTree) -> Head {
        Head {
            org: org(),
            version: self.directory.version() + 1,
            issued_at: self.now,
            expires_at: self.now + DAY,
            entries_count: tree.root().count,
            entries_root: tree.root().hash,
            policy_hash: self.policy.hash(),
            heads_root: HeadLog::new(self.heads.iter().copied()).root(),
        }
    }

    /// A good request that publishes these people.
    pub(crate) fn request(&self, people: Vec<Person>) -> v1::PublishHeadRequest {
        let version = self.directory.version() + 1;
        let entries: Vec<Entry> = people
            .into_iter()
            .map(|person| Entry::new(&org(), version, EntryBody::Person(person)).unwrap())
            .collect();
        let leaves = entries
            .iter()
            .map(|entry| (entry.key().clone(), entry.hash()));
        let tree = self.directory.entries().with(leaves, &[]);
        let first = version == 1;
        v1::PublishHeadRequest {
            expected_version: version - 1,
            head: sign_head(&self.next_head(&tree)).to_string(),
            changed_entries: entries.iter().map(|entry| entry.bytes().to_vec()).collect(),
            removed_keys: Vec::new(),
            policy: if first {
                self.policy.to_string()
            } else {
                String::new()
            },
            roots: if first {
                vec![self.root.to_string()]
            } else {
                Vec::new()
            },
        }
    }

    /// Checks, stores and applies, as a relay does.
    pub(crate) fn accept(&mut self, request: &v1::PublishHeadRequest) -> Result<(), PublishError> {
        let publication = self.directory.check(request)?;
        for entry in &publication.changed {
            self.stored
                .insert(entry.key().clone(), entry.bytes().to_vec());
        }
        for key in &publication.removed {
            self.stored.remove(key);
        }
        self.heads.push(publication.head.hash());
        self.directory.apply(publication)
    }

    pub(crate) fn publish(&mut self, people: Vec<Person>) {
        let request = self.request(people);
        self.accept(&request).unwrap();
    }

    /// Publishes the same entries again, a minute later.
    pub(crate) fn refresh(&mut self) {
        self.now = self.now + Duration::from_secs(60);
        self.publish(Vec::new());
    }

    /// Trust in this hospital that has seen nothing yet.
    pub(crate) fn stranger(&self) -> Trust {
        Trust::new(org(), self.root.hash())
    }

    /// Trust in this hospital's newest head.
    pub(crate) fn friend(&self) -> Trust {
        let mut trust = self.stranger();
        trust.accept(&self.answer(&trust)).unwrap();
        trust
    }

    pub(crate) fn answer(&self, trust: &Trust) -> v1::HeadResponse {
        self.directory.head_answer(&trust.request()).unwrap()
    }

    pub(crate) fn entry(&self, query: &v1::EntryQuery) -> v1::EntryAnswer {
        let key = query.key.parse().unwrap();
        let load = |key: &EntryKey| Ok::<_, Infallible>(self.stored[key].clone());
        self.directory
            .entries()
            .answer(&key, &query.known_hash, load)
            .unwrap()
    }

    /// Everything a relay would load after a restart.
    pub(crate) fn on_disk(&self) -> StoredDirectory {
        StoredDirectory {
            roots: vec![self.root.to_string()],
            head: self.directory.head().map(|head| head.to_string()),
            policy: self.directory.policy().map(|policy| policy.to_string()),
            earlier_heads: self.heads[..self.heads.len().saturating_sub(1)].to_vec(),
            entries: self
                .stored
                .iter()
                .map(|(key, bytes)| (key.clone(), Entry::hash_of(bytes)))
                .collect(),
        }
    }
}

pub(crate) fn sign_head(head: &Head) -> SignedHead {
    SignedHead::sign(head, &key(HEAD_SEED)).unwrap()
}

pub(crate) fn query(key: &str) -> v1::EntryQuery {
    v1::EntryQuery {
        key: key.to_owned(),
        known_hash: Vec::new(),
    }
}

const DAY: Duration = Duration::from_secs(24 * 3600);
