//! Escalation at the handle: how it stands, and what the relay answers to what stops it.
//!
//! Not its concern: what is held and for whom (`engine::holding`), and what comes of it (`engine::escalating`, `engine::stopping`).

use wardline_org::{RelayCode, Response, transport::CallError};
use wardline_proto::v1;

use super::{Client, asks::Answered, replies::decode};
use crate::{
    engine::{
        points::Commit,
        posting,
        stopping::{self, HeldAnswer},
    },
    error::Error,
    escalation::{EscalationStatus, rows},
    id::MessageRef,
};

impl Client {
    /// How the escalation of a message stands: who is given it when, and what has come of that so far. `None` when
    /// it has none, or is not on this device. Works while locked.
    ///
    /// On its author's device it says what the relay says; on others what the author has signed, and by which tier it
    /// was given to this device: nobody had accepted it until then.
    ///
    /// # Errors
    /// Those of reading the store.
    ///
    /// ```
    /// # async fn show(client: wardline::Client, message: wardline::MessageRef) -> Result<(), wardline::Error> {
    /// if let Some(escalation) = client.escalation(message).await? {
    ///     for tier in escalation.tiers.iter().filter(|tier| tier.released_at.is_none()) {
    ///         println!("{:?} and {:?} are next, at {:?}", tier.people, tier.roles, tier.due_at);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn escalation(&self, message: MessageRef) -> Result<Option<EscalationStatus>, Error> {
        let store = &self.inner.store;
        Ok(store
            .read(move |connection| rows::status(connection, message))
            .await?)
    }

    /// Takes in what the relay says of an answer that was shown with a secret. What it does not take like this is
    /// posted by itself: an answer is never lost, and who gave it is told that others may be disturbed all the same.
    pub(super) async fn on_held(
        &self,
        asked: HeldAnswer,
        answer: Response,
    ) -> Result<Answered, Error> {
        let (acknowledgement, taken) = match asked {
            HeldAnswer::Cancel(call) => {
                let answer = decode::<v1::CancelRequest>(answer);
                let taken = answer.map(|told| (told.outcome, told.stopped, told.head_version));
                (call.acknowledgement, taken)
            }
            HeldAnswer::Advance(call) => {
                let answer = decode::<v1::AdvanceRequest>(answer);
                let taken = answer.map(|told| (told.outcome, told.advanced, told.head_version));
                (call.acknowledgement, taken)
            }
        };
        let envelope = acknowledgement.unwrap_or_default().envelope_id;
        match taken {
            Ok((Some(outcome), done, head)) if outcome.envelope_id == envelope => {
                self.note_head(head);
                self.step(Commit::Posted, move |step| {
                    stopping::answered(step, outcome, done)
                })
                .await?;
                Ok(Answered {
                    posted: 1,
                    ..Answered::default()
                })
            }
            // Asking the same again at once would never end.
            Ok(_) => Err(CallError::BadAnswer.into()),
            Err(Error::Call(CallError::Refused(refusal))) if self.is_final(&refusal.code) => {
                let code = refusal.code;
                self.step(Commit::Posted, move |step| {
                    stopping::goes_on(step, &envelope, &code)
                })
                .await?;
                Ok(Answered::default())
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a refusal says that the answer will not be taken like this, however often it is shown. A quota may be
    /// the author's mailbox that is full: the second time it is not waited for any longer.
    fn is_final(&self, code: &RelayCode) -> bool {
        let mut line = self.inner.line();
        let again = std::mem::replace(&mut line.held_over_quota, *code == RelayCode::Quota);
        match code {
            RelayCode::HeldProof | RelayCode::HeldUnanswered => true,
            RelayCode::Quota => again,
            code => posting::blames_what_is_sent(code),
        }
    }
}
