//! Waking devices that sleep, through the push gateway that the operator names.
//!
//! A phone whose app is not running hears of a message from its platform's push service alone. The relay
//! cannot talk to Apple or Google: it has none of the app's credentials. It posts a [`WakeUp`] to a
//! [`PushGateway`], which has. A wake-up says which device and how loudly, and nothing about the message:
//! the device then fetches.
//!
//! * **A hint.** `Receive` is the truth. Wake-ups are kept in memory, bounded in number, tried a bounded
//!   number of times, and gone when the relay ends. No `Send` waits for one or fails with one.
//! * **Only when needed.** A wake-up is posted when something waits that the device has not acknowledged,
//!   or when it is to erase itself and has sent no receipt.
//!   A device in a long poll is given [`PushOptions::poll_grace`] to do so: a phone that lost its network
//!   looks as if it still waited.
//! * **Together.** One wake-up of a device is on its way at a time; those that come meanwhile become one
//!   more, of the highest class.
//!
//! Not its concern: who may register (`calls::push`), and keeping registrations (`storage`).

mod http;
mod queue;
#[cfg(feature = "testing")]
mod recorder;
mod waker;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::Serialize;
pub use wardline_org::push::{PushError, PushRegistration};
pub use wardline_proto::v1::WakeClass;

pub use self::http::{HttpPushGateway, PushGatewayError};
#[cfg(feature = "testing")]
pub use self::recorder::PushRecorder;
pub(crate) use self::waker::Waker;

/// Hands wake-ups to push services.
///
/// [`HttpPushGateway`] posts them to a service of the operator's; a relay inside another program may
/// have one of its own.
#[async_trait]
pub trait PushGateway: Send + Sync + fmt::Debug + 'static {
    /// Hands one on. It is given up after [`PushOptions::timeout`] and may be dropped at any time.
    async fn post(&self, wake_up: &WakeUp) -> PushOutcome;
}

/// One device is to be woken. There is nothing in it about who sent what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WakeUp {
    /// The device, as the push service knows it.
    pub registration: PushRegistration,
    /// How loudly.
    pub class: WakeClass,
}

impl WakeUp {
    /// The body that a gateway is posted: `token`, `topic` and `class` (`silent`, `alert`, `critical`).
    ///
    /// ```
    /// use wardline_relay::push::{PushRegistration, WakeClass, WakeUp};
    ///
    /// let wake_up = WakeUp {
    ///     registration: PushRegistration::new("740f4707", "apns:example.mercy.ward")?,
    ///     class: WakeClass::Alert,
    /// };
    /// assert_eq!(
    ///     wake_up.to_json(),
    ///     r#"{"token":"740f4707","topic":"apns:example.mercy.ward","class":"alert"}"#
    /// );
    /// # Ok::<(), wardline_relay::push::PushError>(())
    /// ```
    pub fn to_json(&self) -> String {
        let body = Body {
            token: self.registration.token(),
            topic: self.registration.topic(),
            class: class_word(self.class),
        };
        // Three strings always encode.
        serde_json::to_string(&body).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Body<'a> {
    token: &'a str,
    topic: &'a str,
    class: &'a str,
}

/// The word for a class: `silent`, `alert` or `critical`.
pub fn class_word(class: WakeClass) -> &'static str {
    match class {
        WakeClass::Silent => "silent",
        WakeClass::Alert => "alert",
        WakeClass::Critical => "critical",
    }
}

/// What became of a wake-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushOutcome {
    /// The gateway has it.
    Posted,
    /// The push service does not know the token any more: the registration is forgotten.
    Gone,
    /// Not now: it is tried again.
    Unavailable,
    /// Not this one, however often.
    Refused,
}

/// Whether and how a relay wakes devices: [`Config::push`](crate::Config::push).
#[derive(Debug, Clone)]
pub struct PushOptions {
    /// Who is posted wake-ups.
    pub gateway: Arc<dyn PushGateway>,
    /// How long one post may take. Default: 10 s.
    pub timeout: Duration,
    /// How often one wake-up is posted at most. Default: 6 times.
    pub tries: u32,
    /// The pause after the first failure; each further one is twice as long. Default: 1 s, so that the
    /// last try comes half a minute after the first, plus what the posts themselves took.
    pub first_pause: Duration,
    /// How long a device that waits in a long poll has to fetch and acknowledge before it is woken all
    /// the same. Default: 3 s.
    pub poll_grace: Duration,
    /// Devices that wait to be woken; above it the least urgent are not. Default: 100,000.
    pub waiting: usize,
    /// Posts at a time. Default: 32.
    pub at_once: usize,
}

impl PushOptions {
    /// Through this gateway, with every default.
    pub fn new(gateway: Arc<dyn PushGateway>) -> Self {
        Self {
            gateway,
            timeout: Duration::from_secs(10),
            tries: 6,
            first_pause: Duration::from_secs(1),
            poll_grace: Duration::from_secs(3),
            waiting: 100_000,
            at_once: 32,
        }
    }
}
