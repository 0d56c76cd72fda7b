//! Who is reached through a role.

use wardline_org::RoleId;

use super::Client;
use crate::{error::WardlineError, ids::parse, roles::RoleStatus};

#[uniffi::export]
impl Client {
    /// Who is reached through a role now, to be shown before something is sent to it: that nobody holds it is an
    /// answer. Asks the relay when the directory is not fresh; without a network it is what was known, and `current`
    /// says so.
    pub async fn role(&self, role: String) -> Result<RoleStatus, WardlineError> {
        let role: RoleId = parse("role", &role)?;
        self.with(|core| async move { Ok(core.role(role).await?.into()) })
            .await
    }
}
