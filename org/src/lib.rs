//! Who may: an organization's root of trust, its directory of people and devices, and the calls that
//! are made in its name.
//!
//! Apps, the relay and the organization's backend share this crate, so that all of them check with the
//! same code. It has no database and, but for two optional modules, does no input or output: every
//! part is a value that is handed bytes and the time.
//!
//! # Whom to believe
//!
//! ```text
//! pin (a hash in the app)
//!  └─ root document ─ offline keys, k of n; rotated version by version        root
//!      └─ head ─ signed by the head key; one for each version of everything   head
//!          ├─ tree of entries ─ person, care team, role line                  tree, entry
//!          │    └─ device credentials, signed by the devices themselves       credential
//!          ├─ policy                                                          policy
//!          └─ log of all heads before                                         log
//! ```
//!
//! An app knows one hash. From it, [`trust::Trust`] follows root documents and heads, refuses a
//! directory that goes back, forks or forgets, and checks the proof of every entry. It says how fresh
//! its newest head is; what to do about a stale one is the app's policy.
//!
//! # The two sides
//!
//! The backend founds an organization, adds people, admits their devices and publishes; an app follows:
//!
//! ```
//! # #[cfg(feature = "authority")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use wardline_org::{
//!     Timestamp,
//!     authority::{Authority, PersonDetails, Secrets},
//!     directory::Directory,
//!     trust::{Freshness, Standing, Trust},
//! };
//! use wardline_proto::v1::EntryQuery;
//!
//! let now: Timestamp = "2026-11-22T12:00:00.000Z".parse()?;
//!
//! // The backend. Two of three root keys sign root documents; they go offline after this.
//! let secrets = Secrets::generate(3)?;
//! let mut authority = Authority::found("mercy".parse()?, 2, &secrets)?;
//! authority.upsert_person(PersonDetails::new("DR-CA-001".parse()?, "Dr. Priscilla Gupta"))?;
//! let request = authority.prepare(now)?.ok_or("nothing to publish")?;
//!
//! // The relay checks what it is given, before it serves it to anybody.
//! let mut directory = Directory::new("mercy".parse()?, authority.pin());
//! let publication = directory.check(&request)?;
//! let entry = publication.changed[0].bytes().to_vec(); // … into its storage
//! directory.apply(publication)?;
//! authority.confirm();
//!
//! // The app, which was shipped with the pin.
//! let mut trust = Trust::new("mercy".parse()?, authority.pin());
//! let answer = directory.head_answer(&trust.request()).ok_or("no head yet")?;
//! trust.accept(&answer)?;
//! assert_eq!(trust.freshness(now), Freshness::Fresh);
//!
//! let query = EntryQuery { key: "person/DR-CA-001".into(), known_hash: Vec::new() };
//! let key = query.key.parse()?;
//! let answer = directory.entries().answer(&key, &[], |_| Ok::<_, std::io::Error>(entry))?;
//! let Standing::Present(entry) = trust.verify_entry(&query, &answer)? else { panic!() };
//! assert_eq!(entry.person().unwrap().display_name, "Dr. Priscilla Gupta");
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "authority"))]
//! # fn main() {}
//! ```
//!
//! Between them stands a relay that neither has to trust with the truth: [`transport`] carries a call,
//! [`call`] signs it, [`connect`] is how a refusal reads.
//!
//! # Getting in
//!
//! 1. The backend signs a person in, its own way, and mints a ticket ([`ticket`]).
//! 2. The device makes its keys and a [`SignedCredential`], and hands both to the relay.
//! 3. The authority takes them in ([`authority`], driven by [`publisher`]): with the next head the
//!    device is in. A second device of the same person counts as unvouched until another one
//!    vouches for it ([`person`]).
//!
//! Leaving is the next head as well; a device that was lost is also told to erase itself ([`wipe`]). [`fhir`] keeps people and care teams in step with an EHR.
//!
//! # Modules
//!
//! | to … | read |
//! |---|---|
//! | name things, tell the time, hash, sign | [`id`], [`time`], [`hash`], [`signer`] |
//! | call a relay | [`transport`], [`call`], [`connect`], [`http`] |
//! | be woken by a relay | [`push`] |
//! | say whether one can be reached | [`availability`] |
//! | believe a directory | [`trust`], on [`note`], [`root`], [`head`], [`policy`], [`tree`], [`log`] |
//! | read what it says | [`entry`], [`person`], [`team`], [`credential`], [`prekey`] |
//! | keep one, as a relay does | [`directory`] |
//! | make one | [`authority`], [`ticket`], [`publisher`], [`fhir`] |
//! | take a device out of the world | [`wipe`] |
//! | prove to outsiders who wrote a message | [`proof`] |
//!
//! # Features
//!
//! | feature | brings | who |
//! |---|---|---|
//! | `authority` | the signing side, tickets, the FHIR import, the publisher | backends; the relay, for tickets |
//! | `http` | the built-in HTTPS transport | services, desktops; phones have their platform's |
//!
//! # Rules
//!
//! - Every signature and hash says what it is for (`wardline/v1/<purpose>`), every key is checked
//!   before it is believed, and every signature is checked strictly (RFC 8032, no small orders).
//! - What is read was checked: a [`SignedCredential`], an [`entry::Entry`] or a [`Ticket`] that exists
//!   holds. Texts that are signed have one spelling.
//! - Bytes that somebody signed or hashed are kept as they came, so that fields of a later version
//!   survive.
//! - `Debug` and errors show no name, no text and no key; ids of people and devices appear as hashes
//!   that mean nothing outside the process.
//! - Nothing here names a patient: the relay reads the directory.
//!
//! [`Ticket`]: ticket::Ticket
#![cfg_attr(
    not(all(feature = "authority", feature = "http")),
    allow(
        rustdoc::broken_intra_doc_links,
        reason = "the links lead to optional modules"
    )
)]

#[cfg(feature = "authority")]
pub mod authority;
pub mod availability;
pub mod call;
pub mod connect;
pub mod credential;
pub mod directory;
pub mod entry;
#[cfg(feature = "authority")]
pub mod fhir;
pub mod hash;
pub mod head;
#[cfg(feature = "http")]
pub mod http;
pub mod id;
mod lines;
pub mod log;
mod merkle;
pub mod note;
pub mod person;
pub mod policy;
pub mod prekey;
pub mod proof;
#[cfg(feature = "authority")]
pub mod publisher;
pub mod push;
mod random;
pub mod root;
pub mod signer;
pub mod team;
#[cfg(feature = "authority")]
pub mod ticket;
pub mod time;
pub mod transport;
pub mod tree;
pub mod trust;
pub mod wipe;
mod x25519;

pub use self::{
    call::{CallSigner, Caller},
    connect::{ConnectCode, Refusal, RelayCode},
    credential::{Credential, SignedCredential},
    hash::Hash,
    id::{DeviceId, EntryKey, EnvelopeId, OrgId, RelayId, RoleId, TeamId, UserId},
    random::RandomUnavailable,
    signer::{Signer, SoftwareSigner},
    time::{Clock, ManualClock, SystemClock, Timestamp},
    transport::{CallError, Request, Response, Transport, TransportError},
};
