//! An organization whose keys are all at hand, so that a test can also sign what no authority would.

use std::{sync::Arc, time::Duration};

use wardline_org::{
    CallSigner, Caller, Credential, DeviceId, EntryKey, Hash, OrgId, SignedCredential, Signer,
    SoftwareSigner, Timestamp, UserId,
    availability::{Availability, Away, SignedAvailability, Statement},
    directory::Directory,
    entry::{Entry, EntryBody},
    head::{Head, SignedHead},
    log::HeadLog,
    person::{ChangeKind, Device as Listed, DeviceChange, Person, PersonStatus, StaffRole},
    policy::{Policy, SignedPolicy},
    prekey::{PrekeyKind, sign_prekey},
    root::{Purpose, Root, SignedRoot},
    team::RoleLine,
    tree::EntryTree,
};
use wardline_proto::v1;

pub(crate) fn start() -> Timestamp {
    "2026-11-22T12:00:00.000Z".parse().unwrap()
}

/// A key that follows from a number.
pub(crate) fn key(seed: u8) -> SoftwareSigner {
    SoftwareSigner::from_seed(&[seed; 32])
}

/// One device of one person, with its keys.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) signer: Arc<SoftwareSigner>,
    pub(crate) credential: SignedCredential,
}

impl Device {
    pub(crate) fn new(org: &str, user: &str, seed: u8) -> Self {
        let signer = key(seed);
        let credential = SignedCredential::create(
            &signer,
            Credential {
                org: org.parse().unwrap(),
                user: user.parse().unwrap(),
                ed25519: signer.public_key(),
                curve25519: curve_key(seed),
                capabilities: vec!["wardline.text/1".into()],
                label: "ward phone".into(),
                created_at: start(),
            },
        )
        .unwrap();
        Self {
            signer: Arc::new(signer),
            credential,
        }
    }

    pub(crate) fn id(&self) -> DeviceId {
        self.credential.device_id()
    }

    pub(crate) fn user(&self) -> &UserId {
        &self.credential.credential().user
    }

    pub(crate) fn calls(&self, relay: &str) -> CallSigner {
        CallSigner::new(
            Caller::Device(self.id()),
            self.credential.credential().org.clone(),
            relay.parse().unwrap(),
            self.signer.clone(),
        )
    }

    /// What it says of whether its person can be reached.
    pub(crate) fn says(
        &self,
        availability: Availability,
        set_at: Timestamp,
    ) -> v1::SetAvailabilityRequest {
        let statement = Statement {
            org: self.credential.credential().org.clone(),
            user: self.user().clone(),
            device: self.id(),
            set_at,
            availability,
        };
        let signed = SignedAvailability::sign(&statement, &*self.signer).unwrap();
        v1::SetAvailabilityRequest {
            availability: Some(signed.to_message()),
        }
    }

    /// A prekey that follows from a number.
    pub(crate) fn prekey(&self, kind: PrekeyKind, seed: u8) -> v1::SignedKey {
        let created_at = (kind == PrekeyKind::Hold).then(start);
        sign_prekey(&*self.signer, self.id(), kind, &curve_key(seed), created_at)
    }
}

/// A Curve25519 public key that follows from a number.
pub(crate) fn curve_key(seed: u8) -> [u8; 32] {
    x25519_dalek::x25519([seed; 32], x25519_dalek::X25519_BASEPOINT_BYTES)
}

/// The authority's side: what it has published, and the keys to publish more.
pub(crate) struct Hospital {
    pub(crate) org: OrgId,
    pub(crate) root: SignedRoot,
    pub(crate) policy: SignedPolicy,
    pub(crate) directory: Directory,
    /// Every published head, the current one last.
    heads: Vec<Hash>,
    people: Vec<Person>,
}

impl Hospital {
    pub(crate) fn new(name: &str) -> Self {
        let org: OrgId = name.parse().unwrap();
        let root = first_root(&org);
        let directory = Directory::new(org.clone(), root.hash());
        Self {
            policy: SignedPolicy::sign(&Policy::new(org.clone()), &key(POLICY)).unwrap(),
            heads: Vec::new(),
            people: Vec::new(),
            directory,
            root,
            org,
        }
    }

    /// Signs the authority's own calls.
    pub(crate) fn calls(&self, relay: &str) -> CallSigner {
        let relay = relay.parse().unwrap();
        CallSigner::new(
            Caller::Authority,
            self.org.clone(),
            relay,
            Arc::new(key(AUTHORITY)),
        )
    }

    /// The person with this device more (or with their first).
    pub(crate) fn admit(&mut self, device: &Device) -> Person {
        let mut person = self.person(device.user().as_str());
        change(&mut person, device.id(), ChangeKind::Added);
        person.devices.push(Listed {
            credential: device.credential.clone(),
            enrolled_at: start(),
            revoked_at: None,
            vouches: Vec::new(),
        });
        self.keep(person)
    }

    /// The person with this device revoked.
    pub(crate) fn revoke(&mut self, device: &Device) -> Person {
        let mut person = self.person(device.user().as_str());
        change(&mut person, device.id(), ChangeKind::Revoked);
        for listed in &mut person.devices {
            if listed.id() == device.id() {
                listed.revoked_at = Some(start());
            }
        }
        self.keep(person)
    }

    /// The person with this staff role more.
    pub(crate) fn give_role(&mut self, user: &str, code: &str) -> Person {
        let mut person = self.person(user);
        person.staff_roles.push(StaffRole {
            code: code.into(),
            display: code.into(),
            department: String::new(),
        });
        self.keep(person)
    }

    /// A request that changes nothing but who may send stat messages.
    pub(crate) fn allow_stat(&mut self, roles: &[&str], now: Timestamp) -> v1::PublishHeadRequest {
        let mut policy = self.policy.policy().clone();
        policy.version += 1;
        policy.stat_roles = roles.iter().map(|&role| role.to_owned()).collect();
        self.policy = SignedPolicy::sign(&policy, &key(POLICY)).unwrap();
        let mut request = self.request(&[], &[], now);
        request.policy = self.policy.to_string();
        request
    }

    /// The person after they left.
    pub(crate) fn offboard(&mut self, user: &str) -> Person {
        let mut person = self.person(user);
        person.status = PersonStatus::Ended;
        let active: Vec<_> = person.active_devices().map(Listed::id).collect();
        for id in active {
            change(&mut person, id, ChangeKind::Revoked);
        }
        for listed in &mut person.devices {
            listed.revoked_at.get_or_insert(start());
        }
        self.keep(person)
    }

    fn person(&self, user: &str) -> Person {
        let known = self.people.iter().find(|p| p.user.as_str() == user);
        known
            .cloned()
            .unwrap_or_else(|| Person::new(user.parse().unwrap(), format!("Name of {user}")))
    }

    fn keep(&mut self, person: Person) -> Person {
        self.people.retain(|p| p.user != person.user);
        self.people.push(person.clone());
        person
    }

    pub(crate) fn entries(&self, people: &[Person]) -> Vec<Entry> {
        let people = people.iter().cloned();
        self.entries_of(people.map(EntryBody::Person))
    }

    fn entries_of(&self, bodies: impl IntoIterator<Item = EntryBody>) -> Vec<Entry> {
        let version = self.directory.version() + 1;
        let bodies = bodies.into_iter();
        bodies
            .map(|body| Entry::new(&self.org, version, body).unwrap())
            .collect()
    }

    /// The head that would come next if the entries were these.
    pub(crate) fn next_head(&self, tree: &EntryTree, now: Timestamp) -> Head {
        Head {
            org: self.org.clone(),
            version: self.directory.version() + 1,
            issued_at: now,
            expires_at: now + DAY,
            entries_count: tree.root().count,
            entries_root: tree.root().hash,
            policy_hash: self.policy.hash(),
            heads_root: HeadLog::new(self.heads.iter().copied()).root(),
        }
    }

    /// A good request that publishes these people and removes these keys.
    pub(crate) fn request(
        &self,
        people: &[Person],
        removed: &[EntryKey],
        now: Timestamp,
    ) -> v1::PublishHeadRequest {
        self.request_entries(&self.entries(people), removed, now)
    }

    /// A good request that says who holds a role.
    pub(crate) fn request_role(&self, role: RoleLine, now: Timestamp) -> v1::PublishHeadRequest {
        self.request_entries(&self.entries_of([EntryBody::RoleLine(role)]), &[], now)
    }

    fn request_entries(
        &self,
        entries: &[Entry],
        removed: &[EntryKey],
        now: Timestamp,
    ) -> v1::PublishHeadRequest {
        let leaves = entries.iter().map(|e| (e.key().clone(), e.hash()));
        let tree = self.directory.entries().with(leaves, removed);
        let first = self.directory.version() == 0;
        v1::PublishHeadRequest {
            expected_version: self.directory.version(),
            head: sign_head(&self.next_head(&tree, now)).to_string(),
            changed_entries: entries.iter().map(|e| e.bytes().to_vec()).collect(),
            removed_keys: removed.iter().map(ToString::to_string).collect(),
            policy: if first {
                self.policy.to_string()
            } else {
                String::new()
            },
            roots: first.then(|| self.root.to_string()).into_iter().collect(),
        }
    }

    /// Remembers that a request was accepted.
    pub(crate) fn accepted(&mut self, request: &v1::PublishHeadRequest) {
        let publication = self.directory.check(request).unwrap();
        self.heads.push(publication.head.hash());
        self.directory.apply(publication).unwrap();
    }
}

/// Undisturbed for an hour.
pub(crate) fn undisturbed(now: Timestamp) -> Availability {
    Availability {
        do_not_disturb_until: Some(now + HOUR),
        away: None,
    }
}

/// Away for an hour, with somebody who stands in.
pub(crate) fn away(now: Timestamp, delegate: &str) -> Availability {
    let away = Away {
        until: now + HOUR,
        delegate: Some(delegate.parse().unwrap()),
    };
    Availability {
        do_not_disturb_until: None,
        away: Some(away),
    }
}

pub(crate) fn sign_head(head: &Head) -> SignedHead {
    SignedHead::sign(head, &key(HEAD)).unwrap()
}

fn change(person: &mut Person, device: DeviceId, kind: ChangeKind) {
    let change = DeviceChange::next(person.device_changes.last(), device, kind, start());
    person.device_changes.push(change);
}

fn first_root(org: &OrgId) -> SignedRoot {
    let purposes = [
        (Purpose::Head, HEAD),
        (Purpose::Policy, POLICY),
        (Purpose::Ticket, TICKET),
        (Purpose::Authority, AUTHORITY),
        (Purpose::Wipe, WIPE),
    ];
    let root = Root {
        org: org.clone(),
        version: 1,
        threshold: 1,
        root_keys: vec![key(ROOT).public_key()],
        keys: purposes
            .map(|(p, seed)| (p, key(seed).public_key()))
            .to_vec(),
    };
    SignedRoot::sign(&root, &[&key(ROOT)]).unwrap()
}

pub(crate) const ROOT: u8 = 200;
pub(crate) const HEAD: u8 = 201;
pub(crate) const POLICY: u8 = 202;
pub(crate) const TICKET: u8 = 203;
pub(crate) const AUTHORITY: u8 = 204;
pub(crate) const WIPE: u8 = 205;
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
