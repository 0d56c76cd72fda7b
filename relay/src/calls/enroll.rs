//! `Enroll` and `Enrollments`: how a device gets to the authority.

use wardline_org::{
    Hash, Refusal, RelayCode, Request, SignedCredential, Timestamp,
    credential::CredentialError,
    ticket::{Ticket, TicketError},
};
use wardline_proto::{Message, v1};

use crate::{
    auth::Session,
    organization::{Organization, Pending},
    relay::{Core, malformed, stored},
    storage::{CallMark, EnrollOutcome, NewEnrollment, PendingEnrollment},
};

impl Core {
    /// Takes a device's credential for the ticket that its person was given. The ticket speaks for the
    /// person, the credential's signature for the keys; the call itself may be signed by the same key.
    pub(crate) async fn enroll(&self, request: Request) -> Result<Vec<u8>, Refusal> {
        let enroll = v1::EnrollRequest::decode(request.body.clone()).map_err(|_| malformed())?;
        let credential = SignedCredential::verify(&enroll.credential, &enroll.signature)
            .map_err(refused_credential)?;
        let device = credential.device_id();
        let org = self.organization(&credential.credential().org)?;
        self.meter.charge_enrollment(org.key)?;
        let mark = self.check_signature(&request, &credential, &org)?;
        org.check_wipe(&device, &org.directory())?;
        if org.directory().device(&device).is_some_and(|d| !d.active) {
            return Err(Refusal::new(RelayCode::Revoked));
        }
        let now = self.clock.now();
        let ticket = check_ticket(&org, &enroll.ticket, &credential, now)?;

        let enrollment = NewEnrollment {
            ticket: Hash::tagged("ticket-id", &[ticket.id.as_bytes()]),
            ticket_expires: ticket.expires_at,
            device,
            request: request.body,
            at: now,
        };
        let remember = async {
            match mark {
                Some(mark) => self.storage.remember_call(org.key, mark).await,
                None => Ok(true),
            }
        };
        let (outcome, remembered) = tokio::join!(
            biased;
            self.storage.enroll(org.key, enrollment),
            remember,
        );
        if !remembered.map_err(stored)? {
            return Err(Refusal::new(RelayCode::Replay));
        }
        match outcome.map_err(stored)? {
            EnrollOutcome::Queued => org.add_pending(
                device,
                Pending {
                    signing_key: credential.credential().ed25519,
                    since: now,
                },
            ),
            EnrollOutcome::Repeated => {}
            EnrollOutcome::TicketUsed => return Err(Refusal::new(RelayCode::TicketUsed)),
        }
        Ok(v1::EnrollResponse {}.encode_to_vec())
    }

    /// An enrollment need not be signed as a call, but if it is, the signature must hold.
    fn check_signature(
        &self,
        request: &Request,
        credential: &SignedCredential,
        org: &Organization,
    ) -> Result<Option<CallMark>, Refusal> {
        let is_signed = |(name, _): &(String, String)| {
            name.eq_ignore_ascii_case("signature") || name.eq_ignore_ascii_case("signature-input")
        };
        if !request.headers.iter().any(is_signed) {
            return Ok(None);
        }
        let mark = self.authenticate_enrollment(request, credential, org)?;
        if org.seen.is_new(mark) {
            Ok(Some(mark))
        } else {
            Err(Refusal::new(RelayCode::Replay))
        }
    }

    pub(super) async fn enrollments(
        &self,
        session: &Session,
        request: &v1::EnrollmentsRequest,
    ) -> Result<v1::EnrollmentsResponse, Refusal> {
        let max = match request.max {
            0 => DEFAULT_PAGE,
            max => max.min(MOST_PAGE),
        };
        let pending = self
            .storage
            .enrollments(session.org.key, request.after, max)
            .await
            .map_err(stored)?;
        let enrollments = pending.into_iter().map(encode).collect::<Result<_, _>>()?;
        Ok(v1::EnrollmentsResponse { enrollments })
    }
}

/// The organization gave this ticket, to the person whom the credential names.
fn check_ticket(
    org: &Organization,
    jwt: &str,
    credential: &SignedCredential,
    now: Timestamp,
) -> Result<Ticket, Refusal> {
    let refused = |error: TicketError| Refusal::new(error.code());
    let directory = org.directory();
    let root = directory.root();
    let ticket = Ticket::verify(jwt, root, now).map_err(refused)?;
    ticket
        .check_owner(credential.credential())
        .map_err(refused)?;
    Ok(ticket)
}

fn encode(pending: PendingEnrollment) -> Result<v1::PendingEnrollment, Refusal> {
    Ok(v1::PendingEnrollment {
        sequence: pending.sequence,
        request: Some(v1::EnrollRequest::decode(pending.request).map_err(|_| malformed())?),
    })
}

fn refused_credential(error: CredentialError) -> Refusal {
    match error {
        CredentialError::BadSignature(_) => Refusal::new(RelayCode::BadSignature),
        CredentialError::Version(_) => Refusal::new(RelayCode::Unsupported),
        _ => malformed(),
    }
}

/// Enrollments in an answer when the caller names no number.
const DEFAULT_PAGE: u32 = 100;
const MOST_PAGE: u32 = 1_000;
