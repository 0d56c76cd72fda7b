//! How a device that sleeps wants to be woken.
//!
//! What a push token looks like is between the app, its push service and the gateway that the relay's
//! operator runs: here it has a size and no control characters, and is a secret. Who may register one,
//! and when a device is woken, is the relay's concern.

use std::fmt;

use wardline_proto::v1;
use zeroize::Zeroizing;

/// The push token of one device, with what the gateway needs to use it.
///
/// Whoever has the token can, with the app's credentials, make the phone ring: `Debug` shows nothing of
/// it, and it is wiped when it is dropped.
///
/// ```
/// use wardline_org::push::PushRegistration;
///
/// let registration = PushRegistration::new("740f4707bebcf74f", "apns:example.mercy.ward")?;
/// assert_eq!(registration.topic(), "apns:example.mercy.ward");
/// # Ok::<(), wardline_org::push::PushError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PushRegistration {
    token: Zeroizing<String>,
    topic: String,
}

impl PushRegistration {
    /// A token as the platform gave it (1 to [`MAX_TOKEN`] bytes), and the words by which the gateway
    /// knows push service and app (at most [`MAX_TOPIC`] bytes), neither with control characters.
    pub fn new(token: &str, topic: &str) -> Result<Self, PushError> {
        let token = Zeroizing::new(token.to_owned());
        if token.is_empty() {
            return Err(PushError::EmptyToken);
        }
        if token.len() > MAX_TOKEN {
            return Err(PushError::TokenTooLong {
                length: token.len(),
            });
        }
        if topic.len() > MAX_TOPIC {
            return Err(PushError::TopicTooLong {
                length: topic.len(),
            });
        }
        if token.chars().chain(topic.chars()).any(char::is_control) {
            return Err(PushError::ControlCharacter);
        }
        Ok(Self {
            token,
            topic: topic.to_owned(),
        })
    }

    /// Reads a call; `None` when the device wants to be woken no more.
    pub fn of_call(call: &v1::RegisterPushRequest) -> Result<Option<Self>, PushError> {
        match (call.token.as_str(), call.topic.as_str()) {
            ("", "") => Ok(None),
            (token, topic) => Self::new(token, topic).map(Some),
        }
    }

    /// The call that registers it.
    pub fn to_call(&self) -> v1::RegisterPushRequest {
        v1::RegisterPushRequest {
            token: self.token.to_string(),
            topic: self.topic.clone(),
        }
    }

    /// The token, for the gateway and nobody else.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Which push service and which app the token is of.
    pub fn topic(&self) -> &str {
        &self.topic
    }
}

impl fmt::Debug for PushRegistration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushRegistration").finish_non_exhaustive()
    }
}

/// Why a push token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// There is no token.
    #[error("the push token is empty: pass what the platform gave, or unregister")]
    EmptyToken,
    /// The token is longer than [`MAX_TOKEN`].
    #[error("the push token has {length} bytes, at most 4096 fit: pass it as the platform gave it")]
    TokenTooLong {
        /// Bytes of UTF-8.
        length: usize,
    },
    /// The topic is longer than [`MAX_TOPIC`].
    #[error("the push topic has {length} bytes, at most 256 fit: use a shorter one")]
    TopicTooLong {
        /// Bytes of UTF-8.
        length: usize,
    },
    /// A line break or another control character is in one of them.
    #[error("token or topic has a control character: pass them without line breaks")]
    ControlCharacter,
}

/// Most bytes of a token: a Web Push subscription is the longest of those in use.
pub const MAX_TOKEN: usize = 4096;
/// Most bytes of a topic.
pub const MAX_TOPIC: usize = 256;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_by_its_cause() {
        let (long, longer) = ("x".repeat(MAX_TOKEN), "x".repeat(MAX_TOKEN + 1));
        let refused = |token: &str, topic: &str| PushRegistration::new(token, topic).unwrap_err();
        assert_eq!(refused("", "apns"), PushError::EmptyToken);
        let length = MAX_TOKEN + 1;
        assert_eq!(refused(&longer, ""), PushError::TokenTooLong { length });
        let length = MAX_TOPIC + 1;
        let topic = "x".repeat(length);
        assert_eq!(refused("t", &topic), PushError::TopicTooLong { length });
        for (token, topic) in [("a\nb", ""), ("a", "b\r"), ("\0", "")] {
            assert_eq!(refused(token, topic), PushError::ControlCharacter);
        }
        assert!(PushRegistration::new(&long, &"x".repeat(MAX_TOPIC)).is_ok());
    }

    #[test]
    fn a_call_says_the_same_to_the_relay() {
        let registration = PushRegistration::new("token", "fcm:ward").unwrap();
        let read = PushRegistration::of_call(&registration.to_call());
        assert_eq!(read, Ok(Some(registration)));
        let nothing = v1::RegisterPushRequest::default();
        assert_eq!(PushRegistration::of_call(&nothing), Ok(None));
        // A topic without its token is a mistake, not a wish to sleep.
        let half = v1::RegisterPushRequest {
            topic: "fcm:ward".into(),
            ..Default::default()
        };
        assert_eq!(PushRegistration::of_call(&half), Err(PushError::EmptyToken));
    }

    #[test]
    fn debug_shows_no_token() {
        let registration = PushRegistration::new("canary-token", "fcm:ward").unwrap();
        assert_eq!(format!("{registration:?}"), "PushRegistration { .. }");
        let call = registration.to_call();
        assert_eq!(format!("{call:?}"), "RegisterPushRequest { .. }");
    }
}
