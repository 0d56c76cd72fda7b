//! Whether people can be reached.

use wardline_org::Timestamp;

use crate::{error::WardlineError, ids::parse};

/// What a person says of themselves; nothing at all unless said otherwise.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct Availability {
    /// Until then only stat messages interrupt, in milliseconds since 1970.
    #[uniffi(default = None)]
    pub do_not_disturb_until_ms: Option<i64>,
    /// Until then the person is away.
    #[uniffi(default = None)]
    pub away_until_ms: Option<i64>,
    /// Who is given a copy of what is written to them meanwhile; only for somebody who is away.
    #[uniffi(default = None)]
    pub delegate: Option<String>,
}

/// Shows no name.
impl std::fmt::Debug for Availability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Availability")
            .field("do_not_disturb_until_ms", &self.do_not_disturb_until_ms)
            .field("away_until_ms", &self.away_until_ms)
            .finish_non_exhaustive()
    }
}

/// Whether somebody can be reached, as far as is known. What nobody knows is missing.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct Reachability {
    /// The person.
    pub user: String,
    /// Whether the directory lists them with a device that can be written to; missing when it was not asked.
    pub has_device: Option<bool>,
    /// When a device of theirs last called the relay, to the minute: the relay's word.
    pub last_seen_ms: Option<i64>,
    /// Until then only stat messages interrupt them: their own signed word, like what follows.
    pub do_not_disturb_until_ms: Option<i64>,
    /// Until then they are away.
    pub away_until_ms: Option<i64>,
    /// Who stands in for them while they are away.
    pub delegate: Option<String>,
    /// When the relay was last asked, by this device's clock; missing when it never was.
    pub as_of_ms: Option<i64>,
}

/// Shows nobody's name.
impl std::fmt::Debug for Reachability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reachability")
            .field("has_device", &self.has_device)
            .field("as_of_ms", &self.as_of_ms)
            .finish_non_exhaustive()
    }
}

/// A message was also given to somebody who stands in for a person who is away.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
pub struct StandIn {
    /// The person who is away.
    pub on_behalf_of: String,
    /// Who stands in for them.
    pub delegate: String,
    /// Until when, by that person's own word, in milliseconds since 1970.
    pub until_ms: i64,
}

/// Shows nobody's name.
impl std::fmt::Debug for StandIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StandIn")
            .field("until_ms", &self.until_ms)
            .finish_non_exhaustive()
    }
}

impl From<wardline::StandIn> for StandIn {
    fn from(given: wardline::StandIn) -> Self {
        Self {
            on_behalf_of: given.on_behalf_of.to_string(),
            delegate: given.delegate.to_string(),
            until_ms: given.until.as_millis(),
        }
    }
}

impl TryFrom<Availability> for wardline::Availability {
    type Error = WardlineError;

    fn try_from(said: Availability) -> Result<Self, WardlineError> {
        let time = Timestamp::from_millis;
        let delegate = said.delegate.map(|user| parse("delegate", &user));
        let delegate = delegate.transpose()?;
        let away = match said.away_until_ms {
            Some(until) => Some(wardline::Away {
                until: time(until),
                delegate,
            }),
            None if delegate.is_some() => {
                let detail = "nobody stands in for somebody who is not away; say until when";
                return Err(WardlineError::unfit("delegate", detail));
            }
            None => None,
        };
        Ok(Self {
            do_not_disturb_until: said.do_not_disturb_until_ms.map(time),
            away,
        })
    }
}

impl From<wardline::Availability> for Availability {
    fn from(said: wardline::Availability) -> Self {
        let away = said.away.as_ref();
        Self {
            do_not_disturb_until_ms: said.do_not_disturb_until.map(Timestamp::as_millis),
            away_until_ms: away.map(|away| away.until.as_millis()),
            delegate: away
                .and_then(|away| away.delegate.as_ref())
                .map(ToString::to_string),
        }
    }
}

impl From<wardline::Reachability> for Reachability {
    fn from(known: wardline::Reachability) -> Self {
        Self {
            user: known.user.to_string(),
            has_device: known.has_device,
            last_seen_ms: known.last_seen.map(Timestamp::as_millis),
            do_not_disturb_until_ms: known.do_not_disturb_until.map(Timestamp::as_millis),
            away_until_ms: known.away_until.map(Timestamp::as_millis),
            delegate: known.delegate.map(|user| user.to_string()),
            as_of_ms: known.as_of.map(Timestamp::as_millis),
        }
    }
}
