//! The signing side: founds an organization, keeps its directory and signs each new head.
//!
//! An [`Authority`] runs on the organization's backend. It is a plain value without input or output:
//! changes go in, requests to publish come out, and a snapshot of its public state is bytes for the
//! backend's own storage. Talking to the relay is the concern of [`publisher`](crate::publisher),
//! reading an EHR's export of [`fhir`](crate::fhir).

mod enrollment;
mod publication;
mod secrets;
mod signers;
mod snapshot;
mod wiping;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use self::publication::Prepared;
pub use self::{
    enrollment::{AdmitError, Admitted, ENROLLMENT_GRACE},
    secrets::{Secrets, SecretsError},
    signers::Signers,
    snapshot::SnapshotError,
};
use crate::{
    call::{CallSigner, Caller},
    entry::{Entry, EntryBody, EntryError},
    hash::Hash,
    head::{HeadError, SignedHead},
    id::{DeviceId, EntryKey, OrgId, RelayId, RoleId, TeamId, UserId},
    log::HeadLog,
    person::{ChangeKind, Device, DeviceChange, Person, PersonStatus, StaffRole, VouchStatement},
    policy::{Policy, PolicyError, SignedPolicy},
    random::RandomUnavailable,
    root::{Purpose, Root, RootError, SignedRoot},
    signer::Signer,
    team::{CareTeam, RoleLine},
    ticket::TicketIssuer,
    time::Timestamp,
    tree::EntryTree,
    wipe::WipeError,
};

/// How heads are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadPlan {
    /// How long a head is fresh from when it was issued.
    pub validity: Duration,
    /// A new head is due when the current one has less than this left.
    /// At most half of `validity`.
    pub renew_before: Duration,
    /// A head changes entries of about this many bytes at most, so that a request stays within what a
    /// relay takes; the rest goes into the next one.
    pub max_changed_bytes: usize,
}

/// Good for a day, renewed when half of it is over; 16 MiB of changes, which are some ten thousand
/// people with two devices each.
impl Default for HeadPlan {
    fn default() -> Self {
        let hours = |h: u64| Duration::from_secs(h * 60 * 60);
        Self {
            validity: hours(24),
            renew_before: hours(12),
            max_changed_bytes: 16 * 1024 * 1024,
        }
    }
}

/// What is known of a person besides their devices.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonDetails {
    /// The person's id.
    pub user: UserId,
    /// What others see.
    pub display_name: String,
    /// For example `Practitioner/DR-CA-001`.
    pub fhir_references: Vec<String>,
    /// Their standing functions.
    pub staff_roles: Vec<StaffRole>,
}

impl PersonDetails {
    /// A person with a name and nothing else.
    pub fn new(user: UserId, display_name: impl Into<String>) -> Self {
        Self {
            user,
            display_name: display_name.into(),
            fhir_references: Vec::new(),
            staff_roles: Vec::new(),
        }
    }
}

/// Shows no name.
impl fmt::Debug for PersonDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonDetails")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// An organization's directory with the keys to sign it.
///
/// ```
/// use wardline_org::{Timestamp, authority::{Authority, PersonDetails, Secrets}};
///
/// let secrets = Secrets::generate(3)?;
/// let mut authority = Authority::found("mercy".parse()?, 2, &secrets)?;
/// let pin = authority.pin(); // goes into the apps
///
/// let now = Timestamp::from_millis(1_795_000_000_000);
/// authority.upsert_person(PersonDetails::new("DR-CA-001".parse()?, "Dr. Priscilla Gupta"))?;
/// let request = authority.prepare(now)?.ok_or("nothing to publish")?;
/// // … send it to the relay; when the relay has it:
/// authority.confirm();
/// assert_eq!(authority.version(), 1);
/// # let _ = (pin, request);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Authority {
    org: OrgId,
    signers: Signers,
    plan: HeadPlan,
    roots: Vec<SignedRoot>,
    policy: SignedPolicy,
    bodies: BTreeMap<EntryKey, EntryBody>,
    /// Both public keys of every device that ever was.
    device_keys: HashSet<[u8; 32]>,
    /// Changed since the last prepared head.
    changed: BTreeSet<EntryKey>,
    /// Ids of tickets that were used, until when to remember them.
    used_tickets: BTreeMap<String, Timestamp>,
    /// The last enrollment that was taken from the relay.
    enrollments_seen: u64,
    published: Published,
    prepared: Option<Prepared>,
}

/// What the relay is known to have.
#[derive(Default)]
struct Published {
    head: Option<SignedHead>,
    /// The hash of every head, the current one last.
    heads: Vec<Hash>,
    log: HeadLog,
    tree: EntryTree,
    root_version: u64,
    policy: Option<Hash>,
}

impl Authority {
    /// Founds an organization with software keys and the default policy: `threshold` of the root keys
    /// must sign its root documents.
    pub fn found(org: OrgId, threshold: usize, secrets: &Secrets) -> Result<Self, AuthorityError> {
        let policy = Policy::new(org);
        Self::found_with(
            policy,
            threshold,
            &secrets.root_signers(),
            secrets.signers(),
        )
    }

    /// Founds the organization that `policy` names, with keys that may live in an HSM. Every root signer
    /// signs; afterwards they are needed for [`Authority::rotate`] only.
    pub fn found_with(
        policy: Policy,
        threshold: usize,
        root_signers: &[Arc<dyn Signer>],
        signers: Signers,
    ) -> Result<Self, AuthorityError> {
        let org = policy.organization.clone();
        let root = Root {
            org: org.clone(),
            version: 1,
            threshold,
            root_keys: root_signers
                .iter()
                .map(|signer| signer.public_key())
                .collect(),
            keys: signers.public_keys(),
        };
        let policy = SignedPolicy::sign(&policy, signers.require(Purpose::Policy)?)?;
        let authority = Self {
            org,
            plan: HeadPlan::default(),
            roots: vec![sign_root(&root, root_signers)?],
            policy,
            signers,
            bodies: BTreeMap::new(),
            device_keys: HashSet::new(),
            changed: BTreeSet::new(),
            used_tickets: BTreeMap::new(),
            enrollments_seen: 0,
            published: Published::default(),
            prepared: None,
        };
        authority.signers.require(Purpose::Head)?;
        Ok(authority)
    }

    /// Adds a person, or changes what is known of them; somebody who had left is back, without their
    /// old devices. `false` when nothing changed.
    pub fn upsert_person(&mut self, details: PersonDetails) -> Result<bool, AuthorityError> {
        let mut person = match self.person(&details.user) {
            Some(person) => person.clone(),
            None => Person::new(details.user, ""),
        };
        person.display_name = details.display_name;
        person.fhir_references = details.fhir_references;
        person.staff_roles = details.staff_roles;
        person.status = PersonStatus::Active;
        self.put(EntryBody::Person(person))
    }

    /// Off-boards a person: every device of theirs is revoked. `false` when they had left before.
    pub fn end_person(&mut self, user: &UserId, now: Timestamp) -> Result<bool, AuthorityError> {
        let mut person = self
            .person(user)
            .cloned()
            .ok_or(AuthorityError::UnknownPerson)?;
        let active: Vec<DeviceId> = person.active_devices().map(|device| device.id()).collect();
        for device in active {
            revoke(&mut person, device, now);
        }
        person.status = PersonStatus::Ended;
        self.put(EntryBody::Person(person))
    }

    /// Revokes one device for good. `false` when it was revoked before.
    pub fn revoke_device(
        &mut self,
        user: &UserId,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<bool, AuthorityError> {
        let mut person = self
            .person(user)
            .cloned()
            .ok_or(AuthorityError::UnknownPerson)?;
        match person.device(device) {
            None => Err(AuthorityError::UnknownDevice),
            Some(known) if !known.is_active() => Ok(false),
            Some(_) => {
                revoke(&mut person, device, now);
                self.put(EntryBody::Person(person))
            }
        }
    }

    /// Takes in what a device says about another one of the same person: the bytes of a
    /// [`VouchStatement`], which may come over any way, because the device that vouches has signed them.
    /// The directory shows it with the next head. `false` when it is recorded already.
    ///
    /// Both must be active devices of that person, and the one that vouches must be vouched for itself.
    pub fn admit_vouch(&mut self, statement: &[u8]) -> Result<bool, AuthorityError> {
        let VouchStatement {
            user,
            device,
            vouch,
        } = VouchStatement::decode(statement)?;
        let mut person = self
            .person(&user)
            .cloned()
            .ok_or(AuthorityError::UnknownPerson)?;
        let is_active = |id| person.device(id).is_some_and(Device::is_active);
        if !is_active(vouch.by) || !is_active(device) {
            return Err(AuthorityError::UnknownDevice);
        }
        if !person.is_vouched(vouch.by) {
            return Err(AuthorityError::Unvouched);
        }
        let found = person.devices.iter_mut().find(|known| known.id() == device);
        let vouched = found.ok_or(AuthorityError::UnknownDevice)?;
        if vouched.vouches.iter().any(|known| known.by == vouch.by) {
            return Ok(false);
        }
        vouched.vouches.push(vouch);
        self.put(EntryBody::Person(person))
    }

    /// Adds or replaces a care team. `false` when nothing changed.
    pub fn upsert_team(&mut self, team: CareTeam) -> Result<bool, AuthorityError> {
        self.put(EntryBody::CareTeam(team))
    }

    /// Removes a care team. `false` when there was none.
    pub fn remove_team(&mut self, team: &TeamId) -> bool {
        self.remove(team.clone().into())
    }

    /// Adds or replaces a role line. `false` when nothing changed.
    pub fn upsert_role(&mut self, role: RoleLine) -> Result<bool, AuthorityError> {
        self.put(EntryBody::RoleLine(role))
    }

    /// Removes a role line. `false` when there was none.
    pub fn remove_role(&mut self, role: &RoleId) -> bool {
        self.remove(role.clone().into())
    }

    /// Puts another policy in force with the next head; its version must be higher.
    pub fn set_policy(&mut self, policy: &Policy) -> Result<(), AuthorityError> {
        if policy.organization != self.org || policy.version <= self.policy().version {
            return Err(AuthorityError::PolicyVersion);
        }
        self.policy = SignedPolicy::sign(policy, self.signers.require(Purpose::Policy)?)?;
        Ok(())
    }

    /// Replaces keys: signs the next root document with these root keys and operational keys. Pass
    /// enough signers for the old document's threshold and for the new one's.
    ///
    /// The policy in force is signed again when its key is replaced, under a version of its own. Refused
    /// while a head is prepared: whether the relay has it can be asked with the replaced keys only.
    pub fn rotate(
        &mut self,
        root_keys: Vec<[u8; 32]>,
        threshold: usize,
        signers: Signers,
        root_signers: &[Arc<dyn Signer>],
    ) -> Result<(), AuthorityError> {
        if self.prepared.is_some() {
            return Err(AuthorityError::Unsettled);
        }
        let current = self.signed_root()?;
        let next = Root {
            org: self.org.clone(),
            version: current.root().version.saturating_add(1),
            threshold,
            root_keys,
            keys: signers.public_keys(),
        };
        signers.require(Purpose::Head)?;
        let signed = sign_root(&next, root_signers)?;
        current.accepts(&signed)?;
        if self.policy.verify(&next).is_err() {
            let mut policy = self.policy().clone();
            policy.version = policy.version.saturating_add(1);
            self.policy = SignedPolicy::sign(&policy, signers.require(Purpose::Policy)?)?;
        }
        self.roots.push(signed);
        self.signers = signers;
        Ok(())
    }

    /// Changes how heads are made, from the next one on. It is configuration, not state: set it again
    /// after [`Authority::restore`].
    pub fn set_plan(&mut self, plan: HeadPlan) {
        // A head that is due as soon as it is made would never let a round end.
        let renew_before = plan.renew_before.min(plan.validity / 2);
        self.plan = HeadPlan {
            renew_before,
            ..plan
        };
    }

    fn put(&mut self, body: EntryBody) -> Result<bool, AuthorityError> {
        let key = body.key();
        if self.bodies.get(&key) == Some(&body) {
            return Ok(false);
        }
        // Refused here, not when the head is built: the caller learns which change is wrong.
        Entry::new(&self.org, 0, body.clone())?;
        self.bodies.insert(key.clone(), body);
        self.changed.insert(key);
        Ok(true)
    }

    fn remove(&mut self, key: EntryKey) -> bool {
        let found = self.bodies.remove(&key).is_some();
        if found {
            self.changed.insert(key);
        }
        found
    }

    /// The organization.
    pub fn org(&self) -> &OrgId {
        &self.org
    }

    /// The hash of the first root document: what apps pin.
    pub fn pin(&self) -> Hash {
        self.roots
            .first()
            .map_or_else(|| Hash::of(b""), SignedRoot::hash)
    }

    /// The current root document.
    pub fn signed_root(&self) -> Result<&SignedRoot, AuthorityError> {
        self.roots
            .last()
            .ok_or(AuthorityError::Root(RootError::Malformed))
    }

    /// The policy that is, or with the next head comes, in force.
    pub fn policy(&self) -> &Policy {
        self.policy.policy()
    }

    /// The version of the newest head that the relay has; 0 before the first.
    pub fn version(&self) -> u64 {
        self.head().map_or(0, |head| head.head().version)
    }

    /// The newest head that the relay has.
    pub fn head(&self) -> Option<&SignedHead> {
        self.published.head.as_ref()
    }

    /// A person, with changes that are not published yet.
    pub fn person(&self, user: &UserId) -> Option<&Person> {
        match self.bodies.get(&EntryKey::Person(user.clone()))? {
            EntryBody::Person(person) => Some(person),
            _ => None,
        }
    }

    /// An entry, with changes that are not published yet.
    pub fn entry(&self, key: &EntryKey) -> Option<&EntryBody> {
        self.bodies.get(key)
    }

    /// Every entry, sorted by key, with changes that are not published yet.
    pub fn entries(&self) -> impl Iterator<Item = (&EntryKey, &EntryBody)> {
        self.bodies.iter()
    }

    /// Mints tickets for this organization's people.
    pub fn ticket_issuer(&self) -> Result<TicketIssuer, AuthorityError> {
        let signer = self.signers.require(Purpose::Ticket)?;
        Ok(TicketIssuer::new(self.org.clone(), signer.clone()))
    }

    /// Signs the authority's own calls to a relay.
    pub fn call_signer(&self, relay: RelayId) -> Result<CallSigner, AuthorityError> {
        let signer = self.signers.require(Purpose::Authority)?;
        Ok(CallSigner::new(
            Caller::Authority,
            self.org.clone(),
            relay,
            signer.clone(),
        ))
    }
}

/// Shows no entry.
impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("org", &self.org)
            .field("version", &self.version())
            .field("entries", &self.bodies.len())
            .finish_non_exhaustive()
    }
}

/// Why the authority does not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// The key for this purpose was not given.
    #[error("the {} key is missing: pass its signer", .0.as_str())]
    MissingKey(Purpose),
    /// Nobody of this id is in the directory.
    #[error("the person is not in the directory: add them first")]
    UnknownPerson,
    /// The person has no such device, or it is revoked.
    #[error("the person has no such active device: check the device list")]
    UnknownDevice,
    /// The reason of a wipe order is not a word.
    #[error("the wipe order is malformed: give one word as its reason")]
    Wipe(#[from] WipeError),
    /// The device that vouches is not vouched for itself.
    #[error("the device that vouches is not vouched for itself: vouch with one that is")]
    Unvouched,
    /// A policy of another organization, or not newer than the one in force.
    #[error("the policy must be of this organization and have a higher version")]
    PolicyVersion,
    /// A head was prepared, and neither confirmed nor abandoned.
    #[error(
        "a head is on its way: publish again, or confirm or abandon it, before keys are replaced"
    )]
    Unsettled,
    /// The entry would be malformed.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The root document would be malformed, or not enough root keys signed it.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The head would be malformed.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The policy would be malformed.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A key could not be made.
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

fn revoke(person: &mut Person, id: DeviceId, now: Timestamp) {
    if let Some(device) = person.devices.iter_mut().find(|device| device.id() == id) {
        device.revoked_at = Some(now);
        let last = person.device_changes.last();
        person
            .device_changes
            .push(DeviceChange::next(last, id, ChangeKind::Revoked, now));
    }
}

fn sign_root(root: &Root, signers: &[Arc<dyn Signer>]) -> Result<SignedRoot, RootError> {
    let signers: Vec<&dyn Signer> = signers.iter().map(AsRef::as_ref).collect();
    SignedRoot::sign(root, &signers)
}
