//! `Receive`, `Acknowledge`, `Withdraw` and `Checkpoint`.

use std::{pin::pin, time::Duration};

use wardline_org::{DeviceId, EnvelopeId, Refusal, Timestamp, UserId, transport::MAX_WAIT};
use wardline_proto::v1;

use super::check_active;
use crate::{
    auth::Session,
    connect::Terms,
    directory::Directory,
    relay::{Core, malformed, stored},
    storage::{Acknowledgement, Epoch, MailboxPage, ReceiveQuery, StoredEnvelope},
};

impl Core {
    /// Answers at once when something waits, otherwise when something comes, when a head comes that the
    /// caller has not seen, or when the time is over.
    pub(super) async fn receive(
        &self,
        session: &Session,
        request: &v1::ReceiveRequest,
        terms: Terms,
    ) -> Result<v1::ReceiveResponse, Refusal> {
        let device = session.device()?;
        let epoch = match request.epoch.as_slice() {
            [] => None,
            epoch => Some(parse_epoch(epoch)?),
        };
        let mut heads = session.org.heads();
        let poll = session.org.polls.begin(device);
        let wait = wait(request, terms);
        let mut time_is_over = pin!(tokio::time::sleep(wait));
        let mut last_look = wait.is_zero();
        loop {
            // Taken before looking: what comes in between must not be slept over.
            let woken = poll.woken();
            let directory = heads.borrow_and_update().clone();
            session.org.check_wipe(&device, &directory)?;
            check_active(&directory, &device)?;
            let page = self
                .storage
                .receive(session.org.key, self.query(device, epoch, request))
                .await
                .map_err(stored)?;
            let seen = request.seen_head_version;
            let news = seen != 0 && directory.version() > seen;
            if !page.envelopes.is_empty() || news || last_look || poll.is_superseded() {
                self.metrics.delivered(page.envelopes.len());
                return Ok(encode(page, &directory, self.clock.now()));
            }
            tokio::select! {
                () = woken => {}
                _ = heads.changed() => {}
                () = &mut time_is_over => last_look = true,
                () = self.closing.cancelled() => last_look = true,
            }
        }
    }

    fn query(
        &self,
        device: DeviceId,
        epoch: Option<Epoch>,
        request: &v1::ReceiveRequest,
    ) -> ReceiveQuery {
        let limits = &self.config.limits;
        ReceiveQuery {
            device,
            after: request.after,
            epoch,
            max: match request.max {
                0 => DEFAULT_PAGE,
                max => max,
            }
            .min(limits.page_envelopes),
            max_bytes: match request.max_bytes {
                0 => limits.page_bytes,
                bytes => limits.page_bytes.min(bytes.into()),
            },
            not_before: self.clock.now() - self.config.retention,
        }
    }

    pub(super) async fn acknowledge(
        &self,
        session: &Session,
        request: &v1::AcknowledgeRequest,
    ) -> Result<v1::AcknowledgeResponse, Refusal> {
        let receipt = Acknowledgement {
            device: session.device()?,
            up_to: request.up_to,
            epoch: parse_epoch(&request.epoch)?,
            checkpoint: request.checkpoint,
        };
        self.storage
            .acknowledge(session.org.key, receipt)
            .await
            .map_err(stored)?;
        Ok(v1::AcknowledgeResponse {})
    }

    pub(super) async fn withdraw(
        &self,
        session: &Session,
        request: &v1::WithdrawRequest,
    ) -> Result<v1::WithdrawResponse, Refusal> {
        let envelope = EnvelopeId::from_slice(&request.envelope_id).map_err(|_| malformed())?;
        let devices = self
            .storage
            .withdraw(session.org.key, session.device()?, envelope)
            .await
            .map_err(stored)?;
        Ok(v1::WithdrawResponse {
            withdrawn_devices: devices.into_iter().map(DeviceId::to_vec).collect(),
        })
    }

    pub(super) async fn checkpoint(
        &self,
        session: &Session,
        request: &v1::CheckpointRequest,
    ) -> Result<v1::CheckpointResponse, Refusal> {
        let highest = self
            .storage
            .checkpoint(session.org.key, session.device()?, request.counter)
            .await
            .map_err(stored)?;
        Ok(v1::CheckpointResponse { highest })
    }
}

/// How long to wait: what was asked, at most [`MAX_WAIT`], and so that the answer arrives before its
/// caller gives up.
fn wait(request: &v1::ReceiveRequest, terms: Terms) -> Duration {
    let asked = Duration::from_millis(request.wait_ms.into()).min(MAX_WAIT);
    match terms.timeout {
        Some(timeout) => asked.min(timeout.saturating_sub(TRAVEL)),
        None => asked,
    }
}

fn parse_epoch(bytes: &[u8]) -> Result<Epoch, Refusal> {
    bytes.try_into().map(Epoch).map_err(|_| malformed())
}

fn encode(page: MailboxPage, directory: &Directory, now: Timestamp) -> v1::ReceiveResponse {
    let envelope = |stored: StoredEnvelope| {
        let owner = directory.device(&stored.sender).map(|listed| &listed.user);
        encode_envelope(stored, owner)
    };
    let last_sequence = page.envelopes.last().map_or(0, |last| last.sequence);
    v1::ReceiveResponse {
        last_sequence,
        envelopes: page.envelopes.into_iter().map(envelope).collect(),
        epoch: page.epoch.0.to_vec(),
        more: page.more,
        head_version: directory.version(),
        unclaimed_one_time_keys: page.one_time_keys,
        now_ms: now.as_millis(),
    }
}

fn encode_envelope(stored: StoredEnvelope, owner: Option<&UserId>) -> v1::Envelope {
    let key = v1::SealedKey {
        device_id: stored.delivery.device.to_vec(),
        suite: stored.delivery.suite.into(),
        olm_type: stored.delivery.olm_type,
        ciphertext: stored.delivery.ciphertext,
        kem: Vec::new(),
    };
    v1::Envelope {
        sequence: stored.sequence,
        envelope_id: stored.envelope.to_vec(),
        sender_device: stored.sender.to_vec(),
        accepted_at_ms: stored.accepted_at.as_millis(),
        key: stored.notice.is_none().then_some(key),
        content: stored.content,
        sender_user_id: owner.map(ToString::to_string).unwrap_or_default(),
        notice: stored.notice,
    }
}

/// Envelopes in an answer when the caller names no number.
const DEFAULT_PAGE: u32 = 100;
/// What an answer needs to get back to its caller.
const TRAVEL: Duration = Duration::from_millis(250);
