//! `Send`: everything about a submission is checked here; storing it is one transaction.

use std::{collections::HashSet, time::Duration};

use wardline_org::{DeviceId, EnvelopeId, Hash, Refusal, RelayCode, Timestamp};
use wardline_proto::{
    Message as _,
    v1::{self, RefusalReason, Suite, WakeClass},
};

use crate::{
    auth::Session,
    directory::Directory,
    organization::Organization,
    relay::{Core, malformed, stored, too_large},
    storage::{Delivery, NewSubmission, Refused, SendAnswer, SendBatch, SendOutcome},
};

impl Core {
    pub(super) async fn send(
        &self,
        session: &Session,
        request: v1::SendRequest,
    ) -> Result<v1::SendResponse, Refusal> {
        let limit = self.config.limits.submissions;
        if request.submissions.len() > limit {
            return Err(too_large(limit));
        }
        let sender = session.device()?;
        let now = self.clock.now();
        let loudest = loudest(&session.directory, &sender);
        let classes: Vec<_> = request
            .submissions
            .iter()
            .map(|submission| wake_class(submission.wake).min(loudest))
            .collect();
        let submissions = request
            .submissions
            .into_iter()
            .map(|submission| self.check_submission(&session.directory, submission, loudest, now))
            .collect::<Result<Vec<_>, _>>()?;
        let mut names = HashSet::new();
        let mut due = Vec::new();
        // What is sent again has its deposit too: it is the same submission to the byte.
        let armed: Vec<bool> = submissions.iter().map(|s| s.deposit.is_some()).collect();
        for submission in &submissions {
            let tiers = submission.deposit.iter().flat_map(|d| &d.tiers);
            let held = tiers.clone().map(|tier| tier.envelope);
            for name in held.chain([submission.envelope]) {
                if !names.insert(name) {
                    return Err(malformed());
                }
            }
            due.push(
                tiers
                    .map(|tier| (now + tier.wait).max(tier.not_before))
                    .next(),
            );
        }
        let recipients: Vec<Vec<DeviceId>> = submissions
            .iter()
            .map(|submission| submission.deliveries.iter().map(|d| d.device).collect())
            .collect();

        let batch = SendBatch {
            sender,
            checkpoint: request.checkpoint,
            at: now,
            submissions,
            mailbox: self.config.limits.mailbox,
            deposits: self.config.limits.deposits,
        };
        let answer = self.storage.send(session.org.key, batch);
        let outcomes = match answer.await.map_err(stored)? {
            SendAnswer::Accepted(outcomes) => outcomes,
            SendAnswer::Conflict(_) => return Err(Refusal::new(RelayCode::Conflict)),
            SendAnswer::TooManyDeposits => {
                return Err(Refusal::new(RelayCode::Quota)
                    .with_limit(self.config.limits.deposits.into())
                    .with_retry_after(WAITING));
            }
        };
        for due in due.into_iter().flatten() {
            self.timer.add(due);
        }
        for ((outcome, recipients), class) in outcomes.iter().zip(recipients).zip(classes) {
            let org = &session.org;
            self.tell(org, &session.directory, sender, outcome, recipients, class);
        }
        Ok(v1::SendResponse {
            outcomes: outcomes
                .into_iter()
                .zip(armed)
                .map(|(outcome, armed)| encode(outcome, armed))
                .collect(),
            head_version: session.org.directory().version(),
        })
    }

    /// Wakes who waits for a submission that has just been stored, and who sleeps.
    pub(super) fn tell(
        &self,
        org: &Organization,
        directory: &Directory,
        sender: DeviceId,
        outcome: &SendOutcome,
        recipients: Vec<DeviceId>,
        class: WakeClass,
    ) {
        if !outcome.fresh {
            return;
        }
        let now = self.clock.now();
        let mut missed = HashSet::new();
        for refused in &outcome.refused {
            self.metrics.refused(refused.reason);
            if refused.reason == RefusalReason::MailboxFull {
                missed.insert(refused.device);
            }
        }
        self.metrics
            .accepted(recipients.len().saturating_sub(missed.len()));
        for device in recipients {
            if missed.contains(&device) {
                org.polls.wake(device);
            } else {
                let class = org.class_for(directory, &sender, &device, class, now);
                self.wake(org, device, class);
            }
        }
    }

    /// Reads a submission; what it holds for later is woken for at most as loudly as `loudest`.
    pub(super) fn check_submission(
        &self,
        directory: &Directory,
        submission: v1::Submission,
        loudest: WakeClass,
        now: Timestamp,
    ) -> Result<NewSubmission, Refusal> {
        let limits = &self.config.limits;
        let envelope = EnvelopeId::from_slice(&submission.envelope_id).map_err(|_| malformed())?;
        if submission.content.len() > limits.content_bytes {
            return Err(too_large(limits.content_bytes));
        }
        // Without recipients it is for later, all of it.
        let later = submission.deposit.is_some() && submission.content.is_empty();
        if submission.keys.is_empty() && !later {
            return Err(malformed());
        }
        if submission.keys.len() > limits.recipients {
            return Err(too_large(limits.recipients));
        }

        let mut digest = Digest::new(&submission);
        let mut seen = HashSet::with_capacity(submission.keys.len());
        let mut deliveries = Vec::with_capacity(submission.keys.len());
        let mut refused = Vec::new();
        for key in submission.keys {
            let delivery = check_key(key, Sealing::Now, limits.sealed_key_bytes)?;
            let device = delivery.device;
            if !seen.insert(device) {
                return Err(malformed());
            }
            digest.add(&delivery);
            match directory.device(&device).map(|listed| listed.active) {
                Some(true) => deliveries.push(delivery),
                Some(false) => refused.push(Refused {
                    device,
                    reason: RefusalReason::Revoked,
                }),
                None => refused.push(Refused {
                    device,
                    reason: RefusalReason::UnknownDevice,
                }),
            }
        }
        let deposit = submission.deposit;
        if let Some(deposit) = &deposit {
            digest.add_deposit(deposit);
        }
        let deposit = deposit.map(|deposit| self.check_deposit(deposit, loudest, now));
        Ok(NewSubmission {
            envelope,
            digest: digest.finish(),
            content: submission.content,
            deliveries,
            refused,
            deposit: deposit.transpose()?,
        })
    }
}

/// What a message says of itself is sealed, so that a changed app might call everything Stat: only whom the
/// policy allows Stat messages rings critically.
pub(super) fn loudest(directory: &Directory, sender: &DeviceId) -> WakeClass {
    if directory.allows_stat(sender) {
        WakeClass::Critical
    } else {
        WakeClass::Alert
    }
}

/// A class of a later version tells a person rather than nobody.
pub(super) fn wake_class(class: i32) -> WakeClass {
    WakeClass::try_from(class).unwrap_or(WakeClass::Alert)
}

/// When a key is opened, and so how it is sealed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sealing {
    /// In a session of now.
    Now,
    /// When sessions will have moved on.
    Held,
}

pub(super) fn check_key(
    key: v1::SealedKey,
    sealing: Sealing,
    limit: usize,
) -> Result<Delivery, Refusal> {
    let suite = Suite::try_from(key.suite).unwrap_or_default();
    let (expected, most, least) = match sealing {
        Sealing::Now => (Suite::OlmV2, 1, 1),
        Sealing::Held => (Suite::HpkeHold, 0, ENCAPSULATED + 1),
    };
    if suite != expected || !key.kem.is_empty() {
        return Err(Refusal::new(RelayCode::Unsupported));
    }
    if key.ciphertext.len() > limit {
        return Err(too_large(limit));
    }
    if key.olm_type > most || key.ciphertext.len() < least {
        return Err(malformed());
    }
    Ok(Delivery {
        device: DeviceId::from_slice(&key.device_id).map_err(|_| malformed())?,
        suite,
        olm_type: key.olm_type,
        ciphertext: key.ciphertext,
    })
}

/// What makes two submissions the same: every field of fixed length, every text by its hash.
struct Digest(Vec<u8>);

impl Digest {
    fn new(submission: &v1::Submission) -> Self {
        let mut bytes = Vec::with_capacity(36 + submission.keys.len() * 56);
        bytes.extend_from_slice(&submission.wake.to_be_bytes());
        bytes.extend_from_slice(Hash::of(&submission.content).as_bytes());
        Self(bytes)
    }

    fn add(&mut self, delivery: &Delivery) {
        self.0.extend_from_slice(delivery.device.as_bytes());
        self.0
            .extend_from_slice(&i32::from(delivery.suite).to_be_bytes());
        self.0.extend_from_slice(&delivery.olm_type.to_be_bytes());
        self.0
            .extend_from_slice(Hash::of(&delivery.ciphertext).as_bytes());
    }

    fn add_deposit(&mut self, deposit: &v1::Deposit) {
        let hash = Hash::of(&deposit.encode_to_vec());
        self.0.extend_from_slice(hash.as_bytes());
    }

    fn finish(self) -> Hash {
        Hash::tagged("relay-submission", &[&self.0])
    }
}

pub(super) fn encode(outcome: SendOutcome, armed: bool) -> v1::SubmissionOutcome {
    v1::SubmissionOutcome {
        envelope_id: outcome.envelope.to_vec(),
        refused: outcome
            .refused
            .into_iter()
            .map(|refused| v1::RefusedDevice {
                device_id: refused.device.to_vec(),
                reason: refused.reason.into(),
            })
            .collect(),
        accepted_at_ms: outcome.accepted_at.as_millis(),
        armed,
    }
}

/// The encapsulated key that what is sealed to a hold key begins with.
const ENCAPSULATED: usize = 32;
/// What waits does not end sooner.
const WAITING: Duration = Duration::from_secs(60);
