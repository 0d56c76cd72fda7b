//! Between the authority and the relay: takes enrollments in and publishes heads.
//!
//! Call [`Publisher::publish_once`] from a timer, and after changes that should not wait. Every step can
//! be repeated: a crash, a lost answer or a restart at any point loses no change and publishes none
//! twice. Waiting and retrying is the caller's concern.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use wardline_proto::v1;

use crate::{
    authority::{AdmitError, Admitted, Authority, AuthorityError},
    connect::RelayCode,
    head::{HeadError, SignedHead},
    id::{DeviceId, RelayId, UserId},
    time::Timestamp,
    transport::{self, CallError, Transport},
    wipe::{SignedWipeOrder, SignedWipeReceipt, WipeError, WipeReason},
};

/// Where the authority's snapshot is kept. A snapshot that was saved must survive a power cut.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// Replaces the stored snapshot, all of it or nothing.
    async fn save(&self, snapshot: &[u8]) -> Result<(), SaveError>;
}

/// Keeps nothing: for an authority that lives as long as its process, as in a demonstration.
#[async_trait]
impl StateStore for () {
    async fn save(&self, _snapshot: &[u8]) -> Result<(), SaveError> {
        Ok(())
    }
}

/// The snapshot could not be stored. The cause is known to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the authority's state could not be saved: nothing was published, try again")]
pub struct SaveError;

/// Drives one authority against one relay.
pub struct Publisher {
    authority: Authority,
    transport: Arc<dyn Transport>,
    store: Arc<dyn StateStore>,
    relay: RelayId,
}

/// A wipe order, and what its device said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wipe {
    /// The order.
    pub order: SignedWipeOrder,
    /// The device's receipt, once it has obeyed.
    pub receipt: Option<SignedWipeReceipt>,
}

/// What one round did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    /// Devices that were admitted and published.
    pub admitted: Vec<DeviceId>,
    /// Requests that were refused; they will not come again.
    pub refused: Vec<(u64, AdmitError)>,
    /// The version of the newest head that this round published or found confirmed.
    pub published: Option<u64>,
}

impl Publisher {
    /// A publisher to the relay of this name.
    pub fn new(
        authority: Authority,
        relay: RelayId,
        transport: Arc<dyn Transport>,
        store: Arc<dyn StateStore>,
    ) -> Result<Self, AuthorityError> {
        // Missing keys are told of here, not in the first round.
        authority.call_signer(relay.clone())?;
        Ok(Self {
            authority,
            transport,
            store,
            relay,
        })
    }

    /// Takes every waiting enrollment in, and publishes a head if one is due.
    ///
    /// On an error everything that was not published stays due; what was admitted in a failed round is
    /// published, and not reported again, by the next.
    pub async fn publish_once(&mut self, now: Timestamp) -> Result<Round, PublisherError> {
        let mut round = Round::default();
        if self.authority.is_rotating() {
            // The relay knows the new key from nothing but this head, so that it can be asked nothing
            // before. If it has the head already, it says so.
            round.published = self.publish(now).await?;
        } else if self.authority.prepared_head().is_some() {
            // The answer was lost, or this process was: find out before anything is built on it.
            round.published = self.settle(now).await?;
        }
        loop {
            let taken = self.take_enrollments(&mut round, now).await?;
            let published = self.publish(now).await?;
            if published.is_some() {
                round.published = published;
            } else if taken {
                self.save().await?;
            } else {
                return Ok(round);
            }
        }
    }

    /// One page of enrollments; `false` when none waits. Asking for the next page tells the relay that
    /// this one is taken, so it is called again only after the state was saved.
    async fn take_enrollments(
        &mut self,
        round: &mut Round,
        now: Timestamp,
    ) -> Result<bool, PublisherError> {
        let after = self.authority.enrollments_seen();
        let ask = v1::EnrollmentsRequest { after, max: PAGE };
        let page = match self.call(&ask, now).await {
            Ok(page) => page.enrollments,
            // Nobody can enroll before the first head.
            Err(error) if is_refused(&error, &RelayCode::NoHead) => return Ok(false),
            Err(error) => return Err(error),
        };
        for pending in &page {
            let request = pending.request.clone().unwrap_or_default();
            match self.authority.admit(&request, now) {
                Ok(Admitted::New(device)) => round.admitted.push(device),
                Ok(Admitted::Before(_)) => {}
                Err(error) => round.refused.push((pending.sequence, error)),
            }
            self.authority.set_enrollments_seen(pending.sequence);
        }
        // A relay that repeats itself must not keep this loop running.
        Ok(self.authority.enrollments_seen() > after)
    }

    async fn publish(&mut self, now: Timestamp) -> Result<Option<u64>, PublisherError> {
        for _ in 0..MAX_TRIES {
            let Some(request) = self.authority.prepare(now)? else {
                return Ok(None);
            };
            // Saved first: after a crash it must be known what the relay may have.
            self.save().await?;
            match self.call(&request, now).await {
                Ok(_) => {
                    let version = self.authority.confirm();
                    self.save().await?;
                    return Ok(version);
                }
                Err(error) if is_refused(&error, &RelayCode::HeadConflict) => {
                    if let Some(version) = self.settle(now).await? {
                        return Ok(Some(version));
                    }
                }
                Err(error) => {
                    if is_refused(&error, &RelayCode::HeadInvalid) {
                        self.authority.abandon();
                        self.save().await?;
                    }
                    return Err(error);
                }
            }
        }
        Err(PublisherError::Contended)
    }

    /// Finds out whether the relay has the prepared head. Returns its version if so; if not, its changes
    /// are due again.
    async fn settle(&mut self, now: Timestamp) -> Result<Option<u64>, PublisherError> {
        let held = self.authority.version();
        let ask = v1::HeadRequest {
            known_version: held,
            ..Default::default()
        };
        let newest = match self.call(&ask, now).await {
            Ok(answer) => Some(answer.head.parse::<SignedHead>()?),
            Err(error) if is_refused(&error, &RelayCode::NoHead) => None,
            Err(error) => return Err(error),
        };
        let newest = newest.as_ref();
        let version = if newest.map(SignedHead::hash) == self.authority.prepared_head() {
            self.authority.confirm()
        } else if newest.map(SignedHead::hash) == self.authority.head().map(SignedHead::hash) {
            self.authority.abandon();
            None
        } else {
            let relay = newest.map_or(0, |head| head.head().version);
            return Err(PublisherError::Diverged { held, relay });
        };
        self.save().await?;
        Ok(version)
    }

    /// Orders a device of a person to erase itself: from its next call on the relay answers it with the
    /// order and nothing else. The device is revoked with the next head; [`Publisher::publish_once`] makes
    /// it, and should follow at once, so that nobody goes on sealing for the device.
    ///
    /// After an error order again: of several orders to one device the newest counts.
    ///
    /// ```
    /// # async fn lost(publisher: &mut wardline_org::publisher::Publisher, now: wardline_org::Timestamp)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// let (user, device) = ("DR-CA-001".parse()?, "00112233445566778899aabbccddeeff".parse()?);
    /// publisher.order_wipe(&user, device, "lost".parse()?, now).await?;
    /// publisher.publish_once(now).await?;
    /// for wipe in publisher.wipes(now).await? {
    ///     if let Some(receipt) = &wipe.receipt {
    ///         println!("{} messages were lost", receipt.receipt().unsent_messages);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn order_wipe(
        &mut self,
        user: &UserId,
        device: DeviceId,
        reason: WipeReason,
        now: Timestamp,
    ) -> Result<SignedWipeOrder, PublisherError> {
        let order = self.authority.order_wipe(user, device, reason, now)?;
        // Whatever becomes of the call: the device is not to be trusted any more.
        self.save().await?;
        let call = v1::OrderWipeRequest {
            order: order.to_string(),
        };
        self.call(&call, now).await?;
        Ok(order)
    }

    /// Every wipe order that the relay has, oldest first, with the receipts of devices that have obeyed.
    /// Orders and receipts are verified; what the relay made up is an error.
    pub async fn wipes(&self, now: Timestamp) -> Result<Vec<Wipe>, PublisherError> {
        let mut wipes = Vec::new();
        let mut after = 0;
        loop {
            let page = self
                .call(&v1::WipesRequest { after, max: PAGE }, now)
                .await?;
            let before = after;
            for wipe in page.wipes {
                after = after.max(wipe.sequence);
                wipes.push(self.check_wipe(&wipe)?);
            }
            if after == before {
                return Ok(wipes);
            }
        }
    }

    fn check_wipe(&self, wipe: &v1::Wipe) -> Result<Wipe, WipeError> {
        let order: SignedWipeOrder = wipe.order.parse()?;
        self.authority.check_wipe_order(&order)?;
        let receipt = match &wipe.receipt {
            None => None,
            Some(call) => {
                let receipt = SignedWipeReceipt::read(call)?;
                let key = self.authority.signing_key(order.order().device);
                receipt.verify(&order, &key.ok_or(WipeError::OtherDevice)?)?;
                Some(receipt)
            }
        };
        Ok(Wipe { order, receipt })
    }

    async fn save(&self) -> Result<(), SaveError> {
        self.store.save(&self.authority.snapshot()).await
    }

    async fn call<C: transport::RelayCall>(
        &self,
        call: &C,
        now: Timestamp,
    ) -> Result<C::Answer, PublisherError> {
        // Asked every time: the key may have been replaced since.
        let calls = self.authority.call_signer(self.relay.clone())?;
        Ok(transport::call(self.transport.as_ref(), &calls, call, now).await?)
    }

    /// The authority, to change the directory.
    pub fn authority_mut(&mut self) -> &mut Authority {
        &mut self.authority
    }

    /// The authority.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Gives the authority back.
    pub fn into_authority(self) -> Authority {
        self.authority
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}

/// Why a round did not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublisherError {
    /// The relay did not answer, or refused.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The head could not be built.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The relay's own head is malformed.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The relay shows a wipe order that the organization did not give, or a receipt that no device did.
    #[error(transparent)]
    Wipe(#[from] WipeError),
    /// The state was not saved.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The relay has a head that this authority did not make, or has lost one.
    #[error(
        "the relay has head {relay}, this authority made {held}: restore the newest snapshot, or \
         the relay's newest backup"
    )]
    Diverged {
        /// The newest head that this authority knows to be published.
        held: u64,
        /// The relay's newest head.
        relay: u64,
    },
    /// The relay said again and again that another head was published, and had none.
    #[error("the relay keeps refusing the head as a conflict: try again")]
    Contended,
}

impl PublisherError {
    /// Whether another round may succeed without anybody changing anything.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Call(error) => error.retryable(),
            Self::Save(_) | Self::Contended => true,
            Self::Authority(_) | Self::Head(_) | Self::Wipe(_) | Self::Diverged { .. } => false,
        }
    }
}

fn is_refused(error: &PublisherError, code: &RelayCode) -> bool {
    match error {
        PublisherError::Call(error) => error.refusal().is_some_and(|refusal| refusal.code == *code),
        _ => false,
    }
}

/// Enrollments taken at once.
const PAGE: u32 = 200;
/// A relay that answers conflict without having another head is asked no more often than this.
const MAX_TRIES: usize = 3;
