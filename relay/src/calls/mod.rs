//! What each call does, one file per part of the service.
//!
//! A call arrives here with its caller known ([`Session`]). It is decoded and paid for first
//! ([`Core::prepare`]), and carried out afterwards ([`Core::dispatch`]).

mod directory;
mod enroll;
mod held;
mod keys;
mod mailbox;
pub(crate) mod publish;
mod push;
mod reach;
mod send;
mod wipe;

use wardline_org::{DeviceId, Refusal, RelayCode};
use wardline_proto::{Bytes, Message, v1};

use crate::{
    auth::Session,
    connect::Terms,
    directory::Directory,
    method::Method,
    quota,
    relay::{Core, malformed},
};

/// A decoded call.
pub(crate) enum Call {
    Head(v1::HeadRequest),
    Entries(v1::EntriesRequest),
    Enrollments(v1::EnrollmentsRequest),
    PublishHead(v1::PublishHeadRequest),
    OrderWipe(v1::OrderWipeRequest),
    Wipes(v1::WipesRequest),
    UploadKeys(v1::UploadKeysRequest),
    ClaimKeys(v1::ClaimKeysRequest),
    Send(v1::SendRequest),
    Receive(v1::ReceiveRequest),
    Acknowledge(v1::AcknowledgeRequest),
    Withdraw(v1::WithdrawRequest),
    Checkpoint(v1::CheckpointRequest),
    Cancel(v1::CancelRequest),
    Advance(v1::AdvanceRequest),
    RegisterPush(v1::RegisterPushRequest),
    SetAvailability(v1::SetAvailabilityRequest),
    Reachability(v1::ReachabilityRequest),
}

impl Call {
    fn decode(method: Method, body: &Bytes) -> Result<Self, Refusal> {
        // Cloning shares the bytes: contents become slices of the request.
        let body = body.clone();
        Ok(match method {
            // They come with their own proof of who calls: see `enroll` and `wipe`.
            Method::Enroll | Method::ConfirmWipe => return Err(malformed()),
            Method::Head => Self::Head(decode(body)?),
            Method::Entries => Self::Entries(decode(body)?),
            Method::Enrollments => Self::Enrollments(decode(body)?),
            Method::PublishHead => Self::PublishHead(decode(body)?),
            Method::OrderWipe => Self::OrderWipe(decode(body)?),
            Method::Wipes => Self::Wipes(decode(body)?),
            Method::UploadKeys => Self::UploadKeys(decode(body)?),
            Method::ClaimKeys => Self::ClaimKeys(decode(body)?),
            Method::Send => Self::Send(decode(body)?),
            Method::Receive => Self::Receive(decode(body)?),
            Method::Acknowledge => Self::Acknowledge(decode(body)?),
            Method::Withdraw => Self::Withdraw(decode(body)?),
            Method::Checkpoint => Self::Checkpoint(decode(body)?),
            Method::Cancel => Self::Cancel(decode(body)?),
            Method::Advance => Self::Advance(decode(body)?),
            Method::RegisterPush => Self::RegisterPush(decode(body)?),
            Method::SetAvailability => Self::SetAvailability(decode(body)?),
            Method::Reachability => Self::Reachability(decode(body)?),
        })
    }

    /// How many devices it names, or people.
    fn devices(&self) -> usize {
        match self {
            Self::ClaimKeys(claim) => claim.device_ids.len() + claim.hold_device_ids.len(),
            Self::Send(send) => {
                let own = send.submissions.iter().map(|s| s.keys.len());
                own.sum::<usize>() + tiers(send).map(|tier| tier.keys.len()).sum::<usize>()
            }
            Self::Cancel(call) => call.acknowledgement.as_ref().map_or(0, |s| s.keys.len()),
            Self::Advance(call) => call.acknowledgement.as_ref().map_or(0, |s| s.keys.len()),
            Self::Reachability(asked) => asked.user_ids.len(),
            _ => 0,
        }
    }

    /// How many submissions it carries, now or for later.
    fn submissions(&self) -> usize {
        match self {
            Self::Send(send) => send.submissions.len() + tiers(send).count(),
            _ => 0,
        }
    }
}

impl Core {
    /// Decodes a call, if this caller may make it, and takes what it costs.
    pub(crate) fn prepare(
        &self,
        method: Method,
        session: &Session,
        body: &Bytes,
    ) -> Result<Call, Refusal> {
        match method {
            Method::Enroll | Method::ConfirmWipe | Method::Head | Method::Entries => {}
            Method::Enrollments | Method::PublishHead | Method::OrderWipe | Method::Wipes => {
                session.authority()?;
            }
            Method::UploadKeys
            | Method::ClaimKeys
            | Method::Send
            | Method::Receive
            | Method::Acknowledge
            | Method::Withdraw
            | Method::Checkpoint
            | Method::Cancel
            | Method::Advance
            | Method::RegisterPush
            | Method::SetAvailability
            | Method::Reachability => drop(session.device()?),
        }
        let call = Call::decode(method, body)?;
        let units = quota::units(body.len(), call.devices(), call.submissions());
        self.meter.charge(session.org.key, session.caller, units)?;
        Ok(call)
    }

    /// Carries out a call and encodes its answer.
    pub(crate) async fn dispatch(
        &self,
        call: Call,
        session: &Session,
        terms: Terms,
    ) -> Result<Vec<u8>, Refusal> {
        match call {
            Call::Head(request) => encode(self.head(session, &request)),
            Call::Entries(request) => encode(self.entries(session, &request)),
            Call::Enrollments(request) => encode(self.enrollments(session, &request).await),
            Call::PublishHead(request) => encode(self.publish_head(session, request).await),
            Call::OrderWipe(request) => encode(self.order_wipe(session, &request).await),
            Call::Wipes(request) => encode(self.wipes(session, &request).await),
            Call::UploadKeys(request) => encode(self.upload_keys(session, request).await),
            Call::ClaimKeys(request) => encode(self.claim_keys(session, &request).await),
            Call::Send(request) => encode(self.send(session, request).await),
            Call::Receive(request) => encode(self.receive(session, &request, terms).await),
            Call::Acknowledge(request) => encode(self.acknowledge(session, &request).await),
            Call::Withdraw(request) => encode(self.withdraw(session, &request).await),
            Call::Checkpoint(request) => encode(self.checkpoint(session, &request).await),
            Call::Cancel(request) => encode(self.cancel(session, request).await),
            Call::Advance(request) => encode(self.advance(session, request).await),
            Call::RegisterPush(request) => encode(self.register_push(session, &request).await),
            Call::SetAvailability(request) => {
                encode(self.set_availability(session, &request).await)
            }
            Call::Reachability(request) => encode(self.reachability(session, &request)),
        }
    }
}

/// All that is held of what is sent.
fn tiers(send: &v1::SendRequest) -> impl Iterator<Item = &v1::HeldTier> {
    let deposits = send.submissions.iter().filter_map(|s| s.deposit.as_ref());
    deposits.flat_map(|deposit| &deposit.tiers)
}

/// A head may have come while a call waited: a device that it revokes gets nothing more.
fn check_active(directory: &Directory, device: &DeviceId) -> Result<(), Refusal> {
    match directory.device(device).map(|listed| listed.active) {
        Some(true) => Ok(()),
        Some(false) => Err(Refusal::new(RelayCode::Revoked)),
        None => Err(Refusal::new(RelayCode::UnknownDevice)),
    }
}

fn decode<M: Message + Default>(body: Bytes) -> Result<M, Refusal> {
    M::decode(body).map_err(|_| malformed())
}

fn encode<M: Message>(answer: Result<M, Refusal>) -> Result<Vec<u8>, Refusal> {
    answer.map(|message| message.encode_to_vec())
}
