//! Wardline: an embeddable, end-to-end-encrypted clinical messaging SDK.
//!
//! One crate does key management, encryption, message lifecycle and local storage for one device of
//! one person. It is what an app links; the relay that carries its messages never sees what is in
//! them.
//!
//! # The two journeys
//!
//! **Out.** [`Client::send`] takes a [`Draft`]. In one transaction the policy is asked, the message
//! and its audit record are written, and, when the directory is fresh and there are sessions with
//! every recipient device, the message is sealed for each of them. Otherwise it waits and the loop
//! fetches what is missing. The relay then gets exactly the sealed bytes that are on disk.
//!
//! **In.** Envelopes are fetched in batches after a cursor. In one transaction for each batch they are
//! opened, held against the directory, written, audited, and receipts are queued; then the app is told
//! and the relay may forget them.
//!
//! # In code
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use wardline::{
//!     Client, Config, Draft, Recipient,
//!     vault::{FileKeyStore, Passphrase},
//! };
//! # use wardline_org::{Clock, SystemClock, Transport, authority::{Authority, PersonDetails, Secrets}, publisher::Publisher};
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! # let dir = tempfile::tempdir()?;
//! # let mut authority = Authority::found("mercy".parse()?, 1, &Secrets::generate(1)?)?;
//! # for user in ["NS-1", "DR-1"] {
//! #     authority.upsert_person(PersonDetails::new(user.parse()?, user))?;
//! # }
//! # let root = authority.pin();
//! # let config = wardline_relay::Config::new("relay.mercy.example".parse()?)
//! #     .serving(authority.signed_root()?.clone());
//! # let storage = Arc::new(wardline_relay::SqliteStorage::open(dir.path())?);
//! # let relay = wardline_relay::Relay::open(config, storage, Arc::new(SystemClock)).await?;
//! # let transport: Arc<dyn Transport> = Arc::new(relay.local());
//! # let issuer = authority.ticket_issuer()?;
//! # let ticket = |user: &str| -> Result<String, Box<dyn std::error::Error>> {
//! #     Ok(issuer.mint(&user.parse()?, Duration::from_secs(60), SystemClock.now())?)
//! # };
//! # let mut publisher =
//! #     Publisher::new(authority, "relay.mercy.example".parse()?, Arc::clone(&transport), Arc::new(()))?;
//! # publisher.publish_once(SystemClock.now()).await?;
//! # let open = |name: &str| -> Result<Config, Box<dyn std::error::Error>> {
//! #     let folder = dir.path().join(name);
//! let keys = Arc::new(FileKeyStore::open(folder.with_extension("keys"))?);
//! let config = Config::new(
//!     folder,                         // this device's own folder
//!     "mercy".parse()?,               // the organization
//!     root,                           // the hash of its root document, pinned in the app
//!     "relay.mercy.example".parse()?, // the relay's name
//!     Arc::clone(&transport),         // HttpTransport, or the platform's own HTTP
//!     keys,                           // the platform's key store
//! );
//! # Ok(config)
//! # };
//! # let passphrase = || Passphrase::new("correct horse battery staple");
//! // Once for each device, with a ticket from the organization's backend.
//! let nurse =
//!     Client::enroll(open("nurse")?, "NS-1".parse()?, "ward phone", &ticket("NS-1")?, passphrase()?)
//!         .await?;
//! # let doctor =
//! #     Client::enroll(open("doctor")?, "DR-1".parse()?, "phone", &ticket("DR-1")?, passphrase()?)
//! #         .await?;
//! # publisher.publish_once(SystemClock.now()).await?;
//! # doctor.sync_once().await?;
//!
//! // Durable when it answers; `start()` would send it by itself.
//! nurse.send(Draft::new(Recipient::Person("DR-1".parse()?), "K 6.6 mmol/L")).await?;
//! nurse.sync_once().await?;
//!
//! // On the other side.
//! doctor.sync_once().await?;
//! let conversation = doctor.conversation(&Recipient::Person("NS-1".parse()?));
//! let page = doctor.timeline(conversation, None, 50).await?;
//! assert_eq!(page.messages[0].text, "K 6.6 mmol/L");
//! doctor.mark_read(vec![page.messages[0].reference()]).await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it is not
//!
//! It has no user interface, keeps no contacts of its own, and believes nobody that the organization's
//! directory (`wardline-org`) does not prove. It is not a medical device.
//!
//! # Where to go from here
//!
//! | to | read |
//! |---|---|
//! | enroll, open, lock, send, read | [`Client`] |
//! | be woken by a push service | [`Client::register_push`] |
//! | say whether one can be reached, and ask it of others | [`Client::set_availability`], [`Client::reachability`] |
//! | show notifications from a second process | [`Inbox`] |
//! | know what went wrong | [`Error`], and its stable codes; [`glossary`] lists them |
//! | keep keys at rest on a platform | [`vault`] |
//! | run the other side | the crates `wardline-org` (authority) and `wardline-relay` |

mod audit;
mod blocking;
mod client;
mod conversation;
mod directory;
mod engine;
mod error;
mod escalation;
pub mod glossary;
mod id;
mod message;
mod policy;
mod session;
mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod vault;

pub use client::{
    Client, Collected, Config, ConversationList, ConversationListChange, Inbox, OpenList,
    OpenListChange, OwnDevice, PendingRequest, RequestId, Round, Timeline, TimelineChange,
    is_enrolled,
};
pub use conversation::{
    Recipient,
    role::{InRole, RoleHolder, RoleSpeaker, RoleStatus},
};
pub use directory::Reachability;
pub use engine::custody::HandedOver;
pub use engine::event::{Delivered, Event, EventCursor, Tier};
#[cfg(feature = "failpoints")]
#[doc(hidden)]
pub use engine::points::FAILPOINTS;
pub use error::{Error, ReachError, Recovery, SendError};
pub use escalation::{Armed, EscalationStatus, EscalationTier, Stopped, TierStatus};
pub use id::{ConversationId, IdError, MessageId, MessageRef};
pub use message::{
    Amended, Answer, Asked, Caution, Choice, Conversation, ConversationPage, CriticalResult,
    Cursor, DeliveryState, DeviceDelivery, Direction, Draft, Expired, FailureCause, Filter,
    Forwarded, Lifetime, LoopGroup, LoopGrouping, LoopTimes, Message, NewestMessage, Notice,
    NoticeSender, OpenItems, Order, Page, Patient, PatientIdentifier, PersonDelivery, Priority,
    Proof, Quantiles, RecallOutcome, Recalled, Sbar, Span, StandIn, StandingAnswer, Structured,
    VendorContent, Verdict, Version,
};
pub use store::StoreError;
pub use wardline_org::availability::{Availability, Away};
pub use wardline_org::proof::{MessageProof, ProofError, ProvenCorrection, ProvenMessage};
pub use wardline_org::push::{PushError, PushRegistration};
#[doc(hidden)]
pub use wardline_sqlite::Slot;
pub use wardline_sqlite::halt;
