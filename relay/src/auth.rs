//! Who calls: the signature, the clock, the directory, and that it was not heard before.

use std::sync::Arc;

use wardline_org::{
    Caller, DeviceId, Refusal, RelayCode, Request, SignedCredential, Timestamp,
    call::{CallRefused, IncomingCall, VerifiedCall},
    root::{Purpose, Root},
};
use wardline_proto::{Bytes, Message as _, v1};

use crate::{
    directory::Directory, method::Method, organization::Organization, relay::Core, replay,
    storage::CallMark,
};

/// A call whose caller is known.
pub(crate) struct Session {
    pub(crate) org: Arc<Organization>,
    /// The directory that the caller was judged by.
    pub(crate) directory: Arc<Directory>,
    pub(crate) caller: Caller,
    /// To be made durable before the answer leaves.
    pub(crate) mark: CallMark,
}

impl Session {
    /// The device that calls; refuses the authority.
    pub(crate) fn device(&self) -> Result<DeviceId, Refusal> {
        match self.caller {
            Caller::Device(device) => Ok(device),
            Caller::Authority => Err(Refusal::new(RelayCode::UnknownDevice)),
        }
    }

    /// Refuses everybody but the authority.
    pub(crate) fn authority(&self) -> Result<(), Refusal> {
        match self.caller {
            Caller::Authority => Ok(()),
            Caller::Device(_) => Err(Refusal::new(RelayCode::NotAuthority)),
        }
    }
}

impl Core {
    /// Finds out who makes a call and whether they may call at all. The call is not remembered yet.
    pub(crate) fn authenticate(
        &self,
        method: Method,
        request: &Request,
    ) -> Result<Session, Refusal> {
        let call = IncomingCall::parse(request).map_err(refused)?;
        self.judge(method, call, &request.body)
    }

    /// The same before the body has come, so that a stranger cannot make the relay take a large one.
    pub(crate) fn recognize(&self, method: Method, head: &Request) -> Result<(), Refusal> {
        let call = IncomingCall::parse_head(head).map_err(refused)?;
        self.judge(method, call, &Bytes::new()).map(drop)
    }

    fn judge(&self, method: Method, call: IncomingCall, body: &Bytes) -> Result<Session, Refusal> {
        let org = self.organization(call.org())?;
        let directory = org.directory();
        let now = self.clock.now();
        let caller = call.caller();
        let verified = match caller {
            Caller::Authority => self
                .verify_authority(&call, directory.root(), now)
                .or_else(|refusal| {
                    let root = proven_root(method, &directory, body).ok_or(refusal)?;
                    self.verify_authority(&call, &root, now)
                })?,
            Caller::Device(device) => {
                self.verify_device(call, method, device, &org, &directory, now)?
            }
        };
        let mark = replay::mark(&verified);
        Ok(Session {
            org,
            directory,
            caller,
            mark,
        })
    }

    /// Finds out whether an enrolling device signed its call with the key it enrolls.
    pub(crate) fn authenticate_enrollment(
        &self,
        request: &Request,
        credential: &SignedCredential,
        org: &Organization,
    ) -> Result<CallMark, Refusal> {
        let call = IncomingCall::parse(request).map_err(refused)?;
        if *call.org() != org.id {
            return Err(Refusal::new(RelayCode::WrongOrg));
        }
        if call.caller() != Caller::Device(credential.device_id()) {
            return Err(Refusal::new(RelayCode::BadSignature));
        }
        let key = &credential.credential().ed25519;
        let verified = self.verify(call, key, self.clock.now())?;
        Ok(replay::mark(&verified))
    }

    fn verify_authority(
        &self,
        call: &IncomingCall,
        root: &Root,
        now: Timestamp,
    ) -> Result<VerifiedCall, Refusal> {
        // The signature does not say which of the authority's keys it was made with.
        let mut refusal = Refusal::new(RelayCode::BadSignature);
        for key in root.keys(Purpose::Authority) {
            match self.verify(call.clone(), key, now) {
                Ok(verified) => return Ok(verified),
                Err(other) => refusal = other,
            }
        }
        Err(refusal)
    }

    fn verify_device(
        &self,
        call: IncomingCall,
        method: Method,
        device: DeviceId,
        org: &Organization,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<VerifiedCall, Refusal> {
        if let Some(listed) = directory.device(&device) {
            let verified = self.verify(call, &listed.signing_key, now)?;
            // Only the device itself is told that it is to be wiped, or that it is revoked.
            org.check_wipe(&device, directory)?;
            return if listed.active {
                Ok(verified)
            } else {
                Err(Refusal::new(RelayCode::Revoked))
            };
        }
        let unknown = Refusal::new(RelayCode::UnknownDevice);
        let key = org.pending_key(&device).ok_or(unknown.clone())?;
        let verified = self.verify(call, &key, now)?;
        // Whoever waits for admission may look whether it has come, and nothing else.
        if matches!(method, Method::Head | Method::Entries) {
            Ok(verified)
        } else {
            Err(unknown)
        }
    }

    fn verify(
        &self,
        call: IncomingCall,
        key: &[u8; 32],
        now: Timestamp,
    ) -> Result<VerifiedCall, Refusal> {
        call.verify(key, &self.config.name, self.config.window, now)
            .map_err(refused)
    }
}

/// The root document that a publication brings for an authority whose keys were replaced: it follows from
/// the one in force, signed by enough root keys of both.
///
/// Nobody knows yet who sent it, so that only a little of it is looked at.
fn proven_root(method: Method, directory: &Directory, body: &Bytes) -> Option<Root> {
    if method != Method::PublishHead || body.is_empty() || body.len() > FROM_ANYBODY {
        return None;
    }
    let request = v1::PublishHeadRequest::decode(body.clone()).ok()?;
    if request.roots.len() > MOST_ROOTS {
        return None;
    }
    let root = directory.signed().successor(&request.roots).ok()??;
    Some(root.root().clone())
}

fn refused(refused: CallRefused) -> Refusal {
    Refusal::new(refused.code())
}

/// Bytes of a body that are taken before it is known who sends them.
pub(crate) const FROM_ANYBODY: usize = 64 * 1024;
/// Root documents that are looked at before it is known who sends them.
const MOST_ROOTS: usize = 8;
