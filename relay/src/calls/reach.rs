//! `SetAvailability` and `Reachability`: what people say of themselves, and when their devices last called.
//!
//! The relay judges what it is handed so that a mistake is its caller's error; whoever reads it judges again.

use wardline_org::{
    Caller, Refusal, RelayCode, UserId,
    availability::{AvailabilityError, SignedAvailability},
};
use wardline_proto::v1;

use super::check_active;
use crate::{
    auth::Session,
    relay::{Core, malformed, stored, too_large},
    storage::NewAvailability,
};

impl Core {
    /// Takes what the caller signed for its own person, unless something newer is here, and answers what stands.
    pub(super) async fn set_availability(
        &self,
        session: &Session,
        request: &v1::SetAvailabilityRequest,
    ) -> Result<v1::SetAvailabilityResponse, Refusal> {
        let org = &session.org;
        let device = session.device()?;
        let said = request.availability.as_ref().ok_or_else(malformed)?;
        let said = SignedAvailability::read(said).map_err(refused)?;
        let statement = said.statement();
        // No head comes between the look and the write: a revocation would have forgotten it.
        let _no_head = org.publishing.read().await;
        let _alone = org.reach.setting.lock().await;
        let directory = org.directory();
        check_active(&directory, &device)?;
        let listed = directory.device(&device);
        let listed = listed.ok_or_else(|| Refusal::new(RelayCode::UnknownDevice))?;
        if statement.org != org.id || statement.device != device || statement.user != listed.user {
            return Err(Refusal::new(RelayCode::BadSignature));
        }
        said.verify_key(&listed.signing_key).map_err(refused)?;
        // A clock that runs ahead would keep everything that is said later from counting.
        if statement.set_at > self.clock.now() + self.config.window.ahead {
            return Err(Refusal::new(RelayCode::Clock));
        }
        let standing = org.reach.said(&directory, &listed.user);
        if let Some(standing) = standing.filter(|standing| !said.replaces(standing)) {
            return Ok(v1::SetAvailabilityResponse {
                standing: Some(standing.to_message()),
            });
        }
        let new = NewAvailability {
            user: statement.user.clone(),
            device,
            ends_at: statement.ends_at(),
            // Encoded anew: nothing that nobody signed is kept.
            statement: said.to_bytes().into(),
        };
        let done = self.storage.set_availability(org.key, new);
        done.await.map_err(stored)?;
        let standing = Some(said.to_message());
        org.reach.put(said);
        Ok(v1::SetAvailabilityResponse { standing })
    }

    /// What is known of people; of whom nothing is known, the name alone.
    pub(super) fn reachability(
        &self,
        session: &Session,
        request: &v1::ReachabilityRequest,
    ) -> Result<v1::ReachabilityResponse, Refusal> {
        let limit = self.config.limits.people;
        if request.user_ids.len() > limit {
            return Err(too_large(limit));
        }
        let (directory, reach) = (session.org.directory(), &session.org.reach);
        let people = request.user_ids.iter().map(|id| {
            let user = UserId::new(id.clone()).map_err(|_| malformed())?;
            let seen = reach.last_seen(directory.devices_of(&user));
            Ok(v1::PersonReachability {
                user_id: id.clone(),
                availability: reach.said(&directory, &user).map(|said| said.to_message()),
                last_seen_ms: seen.map_or(0, wardline_org::Timestamp::as_millis),
            })
        });
        Ok(v1::ReachabilityResponse {
            people: people.collect::<Result<_, Refusal>>()?,
        })
    }

    /// Notes that a device calls. A storage that does not take it fails nobody's call.
    pub(crate) async fn note_seen(&self, session: &Session) {
        let Caller::Device(device) = session.caller else {
            return;
        };
        if let Some(at) = session.org.reach.saw(device, self.clock.now())
            && let Err(error) = self.storage.saw(session.org.key, device, at).await
        {
            tracing::warn!(%error, "it was not stored when a device called");
        }
    }
}

fn refused(error: AvailabilityError) -> Refusal {
    match error {
        AvailabilityError::Signature(_)
        | AvailabilityError::OtherPerson
        | AvailabilityError::OtherDevice => Refusal::new(RelayCode::BadSignature),
        AvailabilityError::Malformed
        | AvailabilityError::Length
        | AvailabilityError::OwnDelegate => malformed(),
    }
}
