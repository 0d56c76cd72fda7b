//! Who is reached through a role, and handing it over.

use wardline_org::RoleId;

use super::Client;
use crate::{
    error::WardlineError,
    ids::parse,
    roles::{HandedOver, RoleStatus},
    structured::Structured,
};

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

    /// Hands a role over, when this person leaves: a note (a `Structured.Sbar`), and every message to the role that is
    /// unread or that nobody has accepted, go to whoever holds the role now and whoever holds it next (within a day).
    /// They get the messages as their authors signed them, and answer them in this person's place. The custodian may do
    /// it in anybody's place. Durable when it returns.
    pub async fn hand_over(
        &self,
        role: String,
        note: Structured,
    ) -> Result<HandedOver, WardlineError> {
        let role: RoleId = parse("role", &role)?;
        let wardline::Structured::Sbar(note) = note.try_into()? else {
            return Err(WardlineError::unfit(
                "note",
                "a role is handed over with an SBAR note",
            ));
        };
        self.with(|core| async move { Ok(core.hand_over(role, note).await?.into()) })
            .await
    }
}
