//! The bare work: what a message costs before any of Wardline's own code runs.

mod contact;
mod hold;
mod receive;
mod relay;
mod send;
mod store;

pub use contact::Contact;
pub use hold::Held;
pub use receive::Receiver;
pub use relay::Relay;
pub use send::Sender;
pub use store::Store;

use vodozemac::olm::{Account, OlmMessage, Session, SessionConfig};

/// The two ends of a session in which both sides have spoken.
fn live_session(ours: &Account) -> (Session, Session) {
    let mut theirs = Account::new();
    theirs.generate_one_time_keys(1);
    let one_time = *theirs.one_time_keys().values().next().unwrap();
    let config = SessionConfig::version_2();
    let mut session = ours
        .create_outbound_session(config, theirs.curve25519_key(), one_time)
        .unwrap();
    let OlmMessage::PreKey(first) = session.encrypt("first").unwrap() else {
        unreachable!("the first message of a session starts it");
    };
    let mut created = theirs
        .create_inbound_session(config, ours.curve25519_key(), &first)
        .unwrap();
    let reply = created.session.encrypt("reply").unwrap();
    session.decrypt(&reply).unwrap();
    (session, created.session)
}

/// Ids, names, times and the patient, as they are encoded in a content.
const CONTENT_FRAME: usize = 260;
/// What the plaintext of an Olm message is padded to.
const SEALED: usize = 256;
