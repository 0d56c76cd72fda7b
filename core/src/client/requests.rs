//! The machine's seam: calls for a host to carry by its own means.
//!
//! A phone's system may carry an upload after it has suspended or ended the app. So what the client
//! wants to ask the relay is public: [`Client::pending_requests`] answers signed calls with ids, and
//! [`Client::complete`] takes an answer in, in this process or in a later one. Doing nothing but this
//! is a full client; mixing it with the loop is fine, because every call may be made twice.

use std::{fmt, str::FromStr, time::Duration};

use wardline_org::{Request, Response};
use wardline_proto::v1;

use super::{Client, asks::Ask};
use crate::{engine::points::Call, error::Error, id::IdError};

/// A signed call to the relay. It is good for a few minutes; after that ask for it anew.
#[derive(Debug, Clone)]
pub struct PendingRequest {
    /// Names the call when its answer comes.
    pub id: RequestId,
    /// What to post; headers and body exactly as they are.
    pub request: Request,
}

/// Names a pending request. `Display` is text to keep beside a background task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId {
    /// What was asked, so that an answer makes sense to a process that did not ask.
    kind: Call,
    /// Drawn at random: answers to an earlier process come to this one. Of a wipe's receipt it follows from
    /// the receipt: a folder may have had two.
    number: u64,
}

impl Client {
    /// What to ask the relay now: at most one call of the outgoing way (what comes after it depends on
    /// its answer), one to acknowledge, and one to fetch. After an open or a resume it is a single call
    /// first, which finds out whether this store is an old copy.
    ///
    /// # Errors
    /// Those of the store. [`Error::Wiped`] once the relay has the receipt of a wipe; until then it is the
    /// one call that is left to make.
    pub async fn pending_requests(&self) -> Result<Vec<PendingRequest>, Error> {
        if self.is_wiped() {
            let (number, request) = self.receipt_to_post().await?;
            let kind = Call::ConfirmWipe;
            let id = RequestId { kind, number };
            return Ok(vec![PendingRequest { id, request }]);
        }
        let asks = match self.checkpoint_ask().await? {
            Some(checkpoint) => vec![checkpoint],
            None => {
                let outgoing = self.next_ask().await?;
                let acknowledge = self.inner.line().acknowledge.clone().map(Ask::Acknowledge);
                let receive = self.receive_ask(Duration::ZERO).await?;
                let asks = [outgoing, acknowledge, Some(receive)];
                asks.into_iter().flatten().collect()
            }
        };
        asks.into_iter()
            .map(|ask| {
                let request = self.sign(&ask)?;
                let id = RequestId::draw(ask.kind())?;
                let mut line = self.inner.line();
                if line.asks.len() >= MOST_REMEMBERED {
                    line.asks.pop_front();
                }
                line.asks.push_back((id, ask));
                Ok(PendingRequest { id, request })
            })
            .collect()
    }

    /// Takes in the answer to a pending request. An answer to a call that this process did not make,
    /// or made too long ago to remember, counts where the answer says everything (what was sent, what
    /// came); otherwise it is passed over and the call will be asked for again.
    pub async fn complete(&self, id: RequestId, answer: Response) -> Result<(), Error> {
        if id.kind == Call::ConfirmWipe {
            return self.receipt_posted(id.number, answer).await;
        }
        // An order to erase counts whatever was asked.
        self.heed(&answer).await?;
        let remembered = {
            let mut line = self.inner.line();
            let place = line.asks.iter().position(|(asked, _)| *asked == id);
            place.and_then(|place| line.asks.remove(place))
        };
        let ask = match (remembered, id.kind) {
            (Some((_, ask)), _) => ask,
            (None, Call::Head) => Ask::Head(v1::HeadRequest::default()),
            (None, Call::Send) => Ask::Send(v1::SendRequest::default()),
            (None, Call::Receive) => Ask::Receive(v1::ReceiveRequest::default()),
            // What the relay knew of a store that was opened earlier says nothing of this one.
            (None, Call::Checkpoint) => return Ok(()),
            (None, Call::Acknowledge | Call::Offer | Call::Entries) => return Ok(()),
            (None, Call::Claim | Call::Held | Call::Withdraw) => return Ok(()),
            (None, Call::SetAvailability | Call::Reachability | Call::ConfirmWipe) => return Ok(()),
        };
        self.answered(ask, answer).await?;
        Ok(())
    }
}

impl RequestId {
    fn draw(kind: Call) -> Result<Self, Error> {
        let mut number = [0; 8];
        getrandom::fill(&mut number)?;
        // Hosts keep it in whole numbers with a sign, too.
        let number = u64::from_be_bytes(number) >> 1;
        Ok(Self { kind, number })
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = KINDS
            .iter()
            .find(|(kind, _)| *kind == self.kind)
            .map_or("", |(_, word)| word);
        write!(f, "{word}-{}", self.number)
    }
}

impl FromStr for RequestId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (word, number) = text.split_once('-').ok_or(IdError)?;
        let (kind, _) = KINDS
            .iter()
            .find(|(_, known)| *known == word)
            .ok_or(IdError)?;
        Ok(Self {
            kind: *kind,
            number: number.parse().map_err(|_| IdError)?,
        })
    }
}

const KINDS: [(Call, &str); 13] = [
    (Call::Reachability, "reachability"),
    (Call::SetAvailability, "availability"),
    (Call::Checkpoint, "checkpoint"),
    (Call::Head, "head"),
    (Call::Offer, "offer"),
    (Call::Entries, "entries"),
    (Call::Claim, "claim"),
    (Call::Send, "send"),
    (Call::Held, "held"),
    (Call::Withdraw, "withdraw"),
    (Call::Receive, "receive"),
    (Call::Acknowledge, "acknowledge"),
    (Call::ConfirmWipe, "wipe"),
];

/// Asks whose answers may still come; the oldest are forgotten.
const MOST_REMEMBERED: usize = 64;
