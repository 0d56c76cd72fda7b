//! `Send`: everything about a submission is checked here; storing it is one transaction.

use std::collections::HashSet;

use wardline_org::{Caller, DeviceId, EnvelopeId, Hash, Refusal, RelayCode};
use wardline_proto::v1::{self, RefusalReason, Suite, WakeClass};

use crate::{
    auth::Session,
    directory::Directory,
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
        let loudest = loudest(&session.directory, &sender);
        let classes: Vec<_> = request
            .submissions
            .iter()
            .map(|submission| wake_class(submission).min(loudest))
            .collect();
        let submissions = request
            .submissions
            .into_iter()
            .map(|submission| self.check_submission(&session.directory, submission))
            .collect::<Result<Vec<_>, _>>()?;
        let names: HashSet<_> = submissions.iter().map(|s| s.envelope).collect();
        if names.len() != submissions.len() {
            return Err(malformed());
        }
        let recipients: Vec<Recipients> = submissions
            .iter()
            .zip(classes)
            .map(|(submission, class)| Recipients {
                devices: submission.deliveries.iter().map(|d| d.device).collect(),
                class,
            })
            .collect();

        let batch = SendBatch {
            sender,
            checkpoint: request.checkpoint,
            at: self.clock.now(),
            submissions,
            mailbox: self.config.limits.mailbox,
        };
        let answer = self.storage.send(session.org.key, batch);
        let outcomes = match answer.await.map_err(stored)? {
            SendAnswer::Accepted(outcomes) => outcomes,
            SendAnswer::Conflict(_) => return Err(Refusal::new(RelayCode::Conflict)),
        };
        for (outcome, recipients) in outcomes.iter().zip(&recipients) {
            self.tell(session, outcome, recipients);
        }
        Ok(v1::SendResponse {
            outcomes: outcomes.into_iter().map(encode).collect(),
            head_version: session.org.directory().version(),
        })
    }

    /// Wakes who waits for a submission that has just been stored, and who sleeps.
    fn tell(&self, session: &Session, outcome: &SendOutcome, recipients: &Recipients) {
        if !outcome.fresh {
            return;
        }
        let mut missed = HashSet::new();
        for refused in &outcome.refused {
            self.metrics.refused(refused.reason);
            if refused.reason == RefusalReason::MailboxFull {
                missed.insert(refused.device);
            }
        }
        let devices = &recipients.devices;
        self.metrics
            .accepted(devices.len().saturating_sub(missed.len()));
        for device in devices {
            let polls = session.org.polls.wake(*device);
            if let Some(waker) = &self.waker
                && !missed.contains(device)
            {
                let class = recipients.class_for(device, session);
                waker.wake((session.org.key, *device), class, polls);
            }
        }
    }

    fn check_submission(
        &self,
        directory: &Directory,
        submission: v1::Submission,
    ) -> Result<NewSubmission, Refusal> {
        let limits = &self.config.limits;
        let envelope = EnvelopeId::from_slice(&submission.envelope_id).map_err(|_| malformed())?;
        if submission.content.len() > limits.content_bytes {
            return Err(too_large(limits.content_bytes));
        }
        if submission.keys.is_empty() {
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
            let delivery = check_key(key, limits.sealed_key_bytes)?;
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
        Ok(NewSubmission {
            envelope,
            digest: digest.finish(),
            content: submission.content,
            deliveries,
            refused,
        })
    }
}

/// For whom a submission is, and how they are woken for it.
struct Recipients {
    devices: Vec<DeviceId>,
    class: WakeClass,
}

impl Recipients {
    /// Nobody is told of what they wrote themselves on another device.
    fn class_for(&self, device: &DeviceId, session: &Session) -> WakeClass {
        let person = |device| session.directory.device(device).map(|listed| &listed.user);
        let own =
            matches!(session.caller, Caller::Device(sender) if person(&sender) == person(device));
        if own { WakeClass::Silent } else { self.class }
    }
}

/// What a message says of itself is sealed, so that a changed app might call everything Stat: only whom the
/// policy allows Stat messages rings critically.
fn loudest(directory: &Directory, sender: &DeviceId) -> WakeClass {
    if directory.allows_stat(sender) {
        WakeClass::Critical
    } else {
        WakeClass::Alert
    }
}

/// A class of a later version tells a person rather than nobody.
fn wake_class(submission: &v1::Submission) -> WakeClass {
    WakeClass::try_from(submission.wake).unwrap_or(WakeClass::Alert)
}

fn check_key(key: v1::SealedKey, limit: usize) -> Result<Delivery, Refusal> {
    let suite = Suite::try_from(key.suite).unwrap_or_default();
    if suite != Suite::OlmV2 || !key.kem.is_empty() {
        return Err(Refusal::new(RelayCode::Unsupported));
    }
    if key.ciphertext.len() > limit {
        return Err(too_large(limit));
    }
    if key.olm_type > 1 || key.ciphertext.is_empty() {
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

    fn finish(self) -> Hash {
        Hash::tagged("relay-submission", &[&self.0])
    }
}

fn encode(outcome: SendOutcome) -> v1::SubmissionOutcome {
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
    }
}
