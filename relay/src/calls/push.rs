//! `RegisterPush`.

use wardline_org::{Refusal, push::PushRegistration};
use wardline_proto::v1;

use super::check_active;
use crate::{
    auth::Session,
    relay::{Core, malformed, stored},
};

impl Core {
    pub(super) async fn register_push(
        &self,
        session: &Session,
        request: &v1::RegisterPushRequest,
    ) -> Result<v1::RegisterPushResponse, Refusal> {
        let device = session.device()?;
        let registration = PushRegistration::of_call(request).map_err(|_| malformed())?;
        // No head comes between the look and the write: a revocation would have forgotten a
        // registration that is only then kept.
        let _no_head = session.org.publishing.read().await;
        check_active(&session.org.directory(), &device)?;
        self.storage
            .register_push(session.org.key, device, registration)
            .await
            .map_err(stored)?;
        Ok(v1::RegisterPushResponse {})
    }
}
