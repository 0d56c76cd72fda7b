//! Deposits as they arrive, and `Cancel` and `Advance`: who may say that what is held need not wait, or need not come.

use std::{collections::HashSet, str::FromStr, time::Duration};

use subtle::ConstantTimeEq as _;
use wardline_org::{DeviceId, EnvelopeId, Hash, Refusal, RelayCode, Timestamp};
use wardline_proto::{
    Bytes,
    v1::{self, WakeClass},
};

use super::send::{Sealing, check_key, encode, loudest, wake_class};
use crate::{
    auth::Session,
    directory::Directory,
    held,
    relay::{Core, malformed, stored, too_large},
    storage::{
        DepositId, HeldAct, HeldAnswer, HeldOutcome, HeldRef, NewDeposit, NewSubmission, NewTier,
        SendBatch, StoredDeposit,
    },
};

impl Core {
    /// Reads a deposit, so that whatever is kept can be released.
    pub(super) fn check_deposit(
        &self,
        deposit: v1::Deposit,
        loudest: WakeClass,
        now: Timestamp,
    ) -> Result<NewDeposit, Refusal> {
        let limits = &self.config.limits;
        if deposit.content.len() > limits.content_bytes {
            return Err(too_large(limits.content_bytes));
        }
        if deposit.tiers.len() > limits.tiers {
            return Err(too_large(limits.tiers));
        }
        if deposit.tiers.is_empty() {
            return Err(malformed());
        }
        let tiers = deposit.tiers.into_iter();
        let tiers = tiers
            .map(|tier| self.check_tier(tier, loudest))
            .collect::<Result<Vec<_>, _>>()?;
        let last = tiers
            .iter()
            .fold(now, |due, tier| (due + tier.wait).max(tier.not_before));
        if last.saturating_since(now) > limits.hold {
            let hold = usize::try_from(limits.hold.as_millis()).unwrap_or(usize::MAX);
            return Err(too_large(hold));
        }
        Ok(NewDeposit {
            deposit: parse_deposit(&deposit.deposit_id)?,
            stop_hash: Hash::from_slice(&deposit.stop_hash).map_err(|_| malformed())?,
            content: Bytes::from(deposit.content),
            tiers,
        })
    }

    fn check_tier(&self, tier: v1::HeldTier, loudest: WakeClass) -> Result<NewTier, Refusal> {
        let limits = &self.config.limits;
        let names = tier.user_ids.len() + tier.role_ids.len();
        if names.max(tier.keys.len()) > limits.tier_devices {
            return Err(too_large(limits.tier_devices));
        }
        // For nobody, or sealed for nobody: it would never reach anyone.
        if names == 0 || tier.keys.is_empty() {
            return Err(malformed());
        }
        let mut seen = HashSet::with_capacity(tier.keys.len());
        let mut keys = Vec::with_capacity(tier.keys.len());
        for key in tier.keys {
            let delivery = check_key(key, Sealing::Held, limits.sealed_key_bytes)?;
            if !seen.insert(delivery.device) {
                return Err(malformed());
            }
            keys.push(delivery);
        }
        Ok(NewTier {
            envelope: EnvelopeId::from_slice(&tier.envelope_id).map_err(|_| malformed())?,
            wait: Duration::from_millis(tier.wait_ms),
            not_before: Timestamp::from_millis(tier.not_before_ms),
            users: parse_names(tier.user_ids)?,
            roles: parse_names(tier.role_ids)?,
            keys,
            wake: wake_class(tier.wake).min(loudest),
        })
    }

    /// No further tier is released.
    pub(super) async fn cancel(
        &self,
        session: &Session,
        request: v1::CancelRequest,
    ) -> Result<v1::CancelResponse, Refusal> {
        let claim = Claim {
            held: parse_held(&request.sender_device, &request.deposit_id)?,
            secret: request.stop_secret,
            answer: request.acknowledgement,
            checkpoint: request.checkpoint,
        };
        let (outcome, stopped) = self.answer_held(session, claim, None).await?;
        Ok(v1::CancelResponse {
            outcome: Some(outcome),
            stopped,
            head_version: session.org.directory().version(),
        })
    }

    /// The next tier is released now.
    pub(super) async fn advance(
        &self,
        session: &Session,
        request: v1::AdvanceRequest,
    ) -> Result<v1::AdvanceResponse, Refusal> {
        let claim = Claim {
            held: parse_held(&request.sender_device, &request.deposit_id)?,
            secret: request.stop_secret,
            answer: request.acknowledgement,
            checkpoint: request.checkpoint,
        };
        let tier = Some(request.tier);
        let (outcome, advanced) = self.answer_held(session, claim, tier).await?;
        Ok(v1::AdvanceResponse {
            outcome: Some(outcome),
            advanced,
            head_version: session.org.directory().version(),
        })
    }

    /// Takes an answer, and stops with it what is held, or advances this tier.
    async fn answer_held(
        &self,
        session: &Session,
        claim: Claim,
        tier: Option<u32>,
    ) -> Result<(v1::SubmissionOutcome, bool), Refusal> {
        let Claim { held, secret, .. } = claim;
        let secret: [u8; 32] = secret.as_slice().try_into().map_err(|_| malformed())?;
        let answer = claim
            .answer
            .ok_or_else(|| Refusal::new(RelayCode::HeldUnanswered))?;
        let org = &session.org;
        let directory = org.directory();
        let caller = session.device()?;
        let now = self.clock.now();
        let class = wake_class(answer.wake).min(loudest(&directory, &caller));
        if answer.deposit.is_some() {
            return Err(malformed());
        }
        let answer = self.check_submission(&directory, answer, class, now)?;

        let deposit = self.storage.deposit(org.key, held).await.map_err(stored)?;
        if let Some(deposit) = &deposit {
            let matches = Hash::of(&secret)
                .as_bytes()
                .ct_eq(deposit.stop_hash.as_bytes());
            if !bool::from(matches) || !may_answer(&directory, caller, held, deposit, now) {
                return Err(Refusal::new(RelayCode::HeldProof));
            }
        }
        if !reaches_somebody(&answer, caller, held, deposit.as_ref()) {
            return Err(Refusal::new(RelayCode::HeldUnanswered));
        }
        let next = deposit.and_then(|deposit| deposit.next);
        let advanced = tier.and_then(|tier| {
            let next = next.filter(|next| next.tier == tier)?;
            let release = held::plan(&directory, &next, now);
            Some((next, release))
        });
        let act = match tier {
            None => HeldAct::Stop,
            Some(tier) => HeldAct::Advance(tier, advanced.as_ref().map(|(_, r)| r.clone())),
        };
        let recipients = answer.deliveries.iter().map(|d| d.device).collect();
        let batch = SendBatch {
            sender: caller,
            checkpoint: claim.checkpoint,
            at: now,
            submissions: vec![answer],
            mailbox: self.config.limits.mailbox,
            deposits: self.config.limits.deposits,
        };
        let answer = HeldAnswer {
            held,
            answer: batch,
            reaches: (caller != held.sender).then_some(held.sender),
            act,
        };
        let outcome = self.storage.answer_held(org.key, answer);
        let (outcome, done, released) = match outcome.await.map_err(stored)? {
            HeldOutcome::Taken {
                outcome,
                done,
                released,
            } => (outcome, done, released),
            HeldOutcome::Conflict(_) => return Err(Refusal::new(RelayCode::Conflict)),
            // An alarm that goes on is safer than one that fell silent with nobody knowing why.
            HeldOutcome::Full => {
                return Err(Refusal::new(RelayCode::Quota).with_retry_after(FULL));
            }
        };
        self.tell(org, &directory, caller, &outcome, recipients, class);
        match (released, advanced) {
            (Some(released), Some((next, release))) => {
                self.tell_release(org, &directory, &next, &release, &released);
            }
            _ if done && tier.is_none() => self.wake(org, held.sender, WakeClass::Silent),
            _ => {}
        }
        Ok((encode(outcome, false), done))
    }
}

/// What `Cancel` and `Advance` have in common.
struct Claim {
    held: HeldRef,
    secret: Vec<u8>,
    answer: Option<v1::Submission>,
    checkpoint: u64,
}

/// Whether a device may answer: the author's own, one that was given the message or a tier, or one of somebody who
/// holds a role of it, held it since, or is its custodian.
fn may_answer(
    directory: &Directory,
    caller: DeviceId,
    held: HeldRef,
    deposit: &StoredDeposit,
    now: Timestamp,
) -> bool {
    if caller == held.sender
        || deposit.recipients.contains(&caller)
        || deposit.reached.contains(&caller)
    {
        return true;
    }
    let Some(listed) = directory.device(&caller) else {
        return false;
    };
    let lines = deposit.roles.iter().filter_map(|role| directory.role(role));
    lines.into_iter().any(|line| {
        let mut turns = line.assignments.iter();
        line.custodian.as_ref() == Some(&listed.user)
            || turns.any(|turn| {
                turn.user == listed.user && turn.from <= now && deposit.accepted_at < turn.until
            })
    })
}

/// Nobody stops an alarm without a word to who raised it; who raised it says so to somebody it is for.
fn reaches_somebody(
    answer: &NewSubmission,
    caller: DeviceId,
    held: HeldRef,
    deposit: Option<&StoredDeposit>,
) -> bool {
    let deliveries = answer.deliveries.iter().map(|delivery| delivery.device);
    // A device that is revoked by now cannot be told: naming it is enough.
    let refused = answer.refused.iter().map(|refused| refused.device);
    let mut named = deliveries.chain(refused);
    if caller != held.sender {
        return named.any(|device| device == held.sender);
    }
    let Some(deposit) = deposit else {
        return true;
    };
    let lists = [&deposit.recipients, &deposit.reached, &deposit.held_for];
    named.any(|device| lists.iter().any(|list| list.contains(&device)))
}

fn parse_held(sender: &[u8], deposit: &[u8]) -> Result<HeldRef, Refusal> {
    Ok(HeldRef {
        sender: DeviceId::from_slice(sender).map_err(|_| malformed())?,
        deposit: parse_deposit(deposit)?,
    })
}

fn parse_deposit(bytes: &[u8]) -> Result<DepositId, Refusal> {
    bytes.try_into().map(DepositId).map_err(|_| malformed())
}

fn parse_names<T: FromStr + std::hash::Hash + Eq + Clone>(
    names: Vec<String>,
) -> Result<Vec<T>, Refusal> {
    let mut seen = HashSet::with_capacity(names.len());
    names
        .into_iter()
        .map(|name| {
            let name: T = name.parse().map_err(|_| malformed())?;
            if seen.insert(name.clone()) {
                Ok(name)
            } else {
                Err(malformed())
            }
        })
        .collect()
}

/// A mailbox that is full is not emptied sooner.
const FULL: Duration = Duration::from_secs(60);
