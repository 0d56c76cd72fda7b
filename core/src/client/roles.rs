//! Asking, before one writes to a role, who is reached through it; and handing it over.

use wardline_org::RoleId;

use super::Client;
use crate::{
    conversation::{Recipient, role::RoleStatus},
    engine::{
        custody::{self, HandedOver},
        points::Commit,
        roles,
    },
    error::Error,
    message::{Draft, Sbar, Structured},
};

impl Client {
    /// Who holds a role now, until when, and who keeps its messages otherwise. The directory is asked for what is not
    /// known here or may be outdated; without a line it is answered what was last known
    /// ([`RoleStatus::current`]). Nobody holding it is an answer: [`RoleStatus::holders`] is empty.
    ///
    /// # Errors
    /// [`SendError::NoSuchRecipient`](crate::SendError::NoSuchRecipient) when there is no such role; those of a call
    /// to the relay when nothing is known of it here.
    ///
    /// ```
    /// # async fn ask(client: wardline::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use wardline::{Draft, Recipient};
    ///
    /// let role: wardline_org::RoleId = "cardiology-on-call".parse()?;
    /// let status = client.role(role.clone()).await?;
    /// match status.holders.first() {
    ///     Some(holder) => println!("{}: {}", status.display_name, holder.display_name),
    ///     None => println!("nobody holds {} now", status.display_name),
    /// }
    /// client.send(Draft::new(Recipient::Role(role), "Troponin 85 ng/l")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn role(&self, role: RoleId) -> Result<RoleStatus, Error> {
        let known = self.role_as_known(&role).await?;
        if let Some(status) = known.filter(|status| status.current) {
            return Ok(status);
        }
        // First the line, then whom it names.
        let mut asked = Ok(());
        for _ in 0..2 {
            if asked.is_ok() {
                asked = self.fetch_directory().await;
            }
            match self.role_as_known(&role).await? {
                Some(status) if status.current || asked.is_err() => return Ok(status),
                _ => {}
            }
        }
        asked?;
        self.role_as_known(&role).await?.ok_or(Error::Unknown)
    }

    /// Hands a role over, when this person leaves: a note, and every message to the role that is unread or that nobody
    /// has accepted, go to whoever holds the role now and whoever holds it next (within a day). They get the messages as
    /// their authors signed them, and answer them in this person's place; here they are no more to be answered
    /// ([`InRole::handed_over`](crate::InRole::handed_over)). The custodian may do it in anybody's place, and keeps them.
    /// Durable when it answers, like [`Client::send`].
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody may read; [`SendError::NotYourRole`](crate::SendError::NotYourRole);
    /// [`SendError::NoHolder`](crate::SendError::NoHolder) when nobody else holds it within a day; those of
    /// [`Client::role`] and of the policy.
    ///
    /// ```
    /// # async fn leave(client: wardline::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use wardline::Sbar;
    ///
    /// let note = Sbar {
    ///     situation: "Two open potassium results".into(),
    ///     ..Sbar::default()
    /// };
    /// let handed = client.hand_over("cardiology-on-call".parse()?, note).await?;
    /// println!("{} messages go with it", handed.items);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn hand_over(&self, role: RoleId, note: Sbar) -> Result<HandedOver, Error> {
        self.inner.reading()?;
        self.role(role.clone()).await?;
        let note = Draft::new(Recipient::Role(role.clone()), "").structured(Structured::Sbar(note));
        let handed = self
            .step(Commit::Send, move |step| {
                custody::hand_over(step, &role, &note)
            })
            .await?;
        self.inner.wake.notify_one();
        Ok(handed)
    }

    async fn role_as_known(&self, role: &RoleId) -> Result<Option<RoleStatus>, Error> {
        let role = role.clone();
        self.look(move |step| roles::status(step, &role)).await
    }

    /// What a changed client can do, see [`testing::forge`](crate::testing::forge).
    #[cfg(any(test, feature = "testing"))]
    pub(crate) async fn forge(
        &self,
        (id, reference): (crate::ConversationId, wardline_proto::v1::ConversationRef),
        to: Vec<(wardline_org::DeviceId, wardline_org::UserId)>,
        change: impl FnOnce(&mut wardline_proto::v1::Content) + Send + 'static,
    ) -> Result<crate::MessageId, Error> {
        self.step(Commit::Send, move |step| {
            crate::engine::forging::seal(step, id, reference, to, change)
        })
        .await
    }
}
