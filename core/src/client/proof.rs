//! Handing a message to an outsider, with everything that proves who wrote it.

use wardline_org::{
    EntryKey, UserId,
    proof::{MessageProof, ProofError},
    transport::CallError,
};
use wardline_proto::{Message as _, v1};

use super::Client;
use crate::{
    audit::Action, engine::points::Commit, error::Error, id::MessageRef, message::amend,
    store::StoreError,
};

impl Client {
    /// A message and its corrections with everything that proves who wrote them: what the author's device signed,
    /// its directory entry and the head that this stands under, which the relay is asked for. Whoever has a root
    /// document of the organization verifies it offline, with [`MessageProof::verify`] or `wardline verify`. It holds
    /// the text and the patient in the clear: whoever gets it reads them.
    ///
    /// A device that was revoked proves nothing more, because whoever holds it can date what it signs back: export
    /// what must be proven later while its author's device is in use.
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody may read; [`Error::Unknown`] for a message that is not here, was taken back, is over,
    /// or was not sealed yet; [`Error::Proof`] when it proves nothing; those of the network.
    ///
    /// ```
    /// # async fn export(client: wardline::Client, page: wardline::Page) -> Result<(), Box<dyn std::error::Error>> {
    /// if let Some(newest) = page.messages.last() {
    ///     let proof = client.export_proof(newest.reference()).await?;
    ///     std::fs::write("message.proof", proof.encode())?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn export_proof(&self, message: MessageRef) -> Result<MessageProof, Error> {
        let keys = self.inner.reading()?.keys;
        let latest = self.latest();
        let (signed, corrections) = self
            .inner
            .store
            .read(move |connection| amend::signed(connection, &keys, message, latest))
            .await?;
        let damaged = || StoreError::Damaged { what: "content" };
        let content = v1::Content::decode(signed.content.as_slice()).map_err(|_| damaged())?;
        let author = UserId::new(content.sender_user_id).map_err(|_| damaged())?;
        let (head, entry) = self.standing_of(author).await?;
        let proof = MessageProof::new(signed, corrections, head, entry);
        let pin = self
            .look(|view| Ok(*view.memory.directory.trust(view.connection)?.pin()))
            .await?;
        // Handed out is what holds, whatever the relay has answered.
        proof.verify(&pin)?;
        self.step(Commit::Export, move |step| {
            step.audit(Action::ProofExported, message.id.as_bytes())
        })
        .await?;
        Ok(proof)
    }

    /// What the relay shows of a person to somebody who knows nothing yet.
    async fn standing_of(
        &self,
        person: UserId,
    ) -> Result<(v1::HeadResponse, v1::EntryAnswer), Error> {
        let query = v1::EntryQuery {
            key: EntryKey::Person(person).to_string(),
            known_hash: Vec::new(),
        };
        // Published in between, the head is asked for again.
        for _ in 0..MOST_HEADS {
            let head = self.call(&v1::HeadRequest::default()).await?;
            let version = head_version(&head)?;
            let asked = v1::EntriesRequest {
                head_version: version,
                queries: vec![query.clone()],
            };
            let answer = self.call(&asked).await?;
            if answer.head_version == version {
                let entry = answer.answers.into_iter().next();
                return Ok((head, entry.ok_or(CallError::BadAnswer)?));
            }
        }
        Err(CallError::BadAnswer.into())
    }
}

fn head_version(answer: &v1::HeadResponse) -> Result<u64, Error> {
    let head = answer.head.parse::<wardline_org::head::SignedHead>();
    let head = head.map_err(|error| ProofError::Directory(Box::new(error.into())))?;
    Ok(head.head().version)
}

const MOST_HEADS: usize = 3;
