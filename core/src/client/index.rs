//! Keeping the search index up with the messages.
//!
//! The index is derived: it has a watermark, and whatever lies beyond it is read from the store and
//! added, while a person reads. The same pass brings bodies that came while locked into the form that
//! opens fast.

use std::{borrow::Cow, sync::Arc};

use rusqlite::{Connection, params};
use wardline_org::DeviceId;
use wardline_proto::v1;

use super::{Client, blocking};
use crate::{
    engine::points::{Beside, Commit},
    error::Error,
    id::{ConversationId, MessageId},
    message::{rows, timeline},
    store::{StoreError, search::Document},
    vault::{BodyOpener, ReadingKeys},
};

impl Client {
    /// Brings the search index up to the newest message, and bodies that came while locked into the
    /// form that opens fast. An index found to be damaged is made anew, once.
    pub(super) async fn take_up_arrivals(&self) -> Result<(), Error> {
        match self.catch_up().await {
            Err(Error::Search) => {
                let client = self.clone();
                blocking(move || client.inner.reopen_search()).await?;
                self.catch_up().await
            }
            done => done,
        }
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) async fn indexed_up_to(&self) -> Result<Option<i64>, Error> {
        let Some(unlocked) = self.inner.unlocked() else {
            return Ok(None);
        };
        Ok(Some(
            blocking(move || Ok(unlocked.search.watermark()?)).await?,
        ))
    }

    async fn catch_up(&self) -> Result<(), Error> {
        let _indexing = self.inner.indexing.lock().await;
        while let Some(unlocked) = self.inner.unlocked() {
            let index = Arc::clone(&unlocked.search);
            let watermark = blocking(move || Ok(index.watermark()?)).await?;
            let keys = Arc::clone(&unlocked.keys);
            let arrivals = self
                .inner
                .store
                .read(move |connection| arrivals(connection, &keys, watermark))
                .await?;
            let Some(last) = arrivals.last else {
                return Ok(());
            };
            self.write_resealed(arrivals.resealed).await?;
            let documents = arrivals.documents;
            blocking(move || {
                let documents: Vec<_> = documents.iter().map(Indexable::document).collect();
                Beside::Index.before();
                unlocked.search.index(&documents, last)?;
                Beside::Index.after();
                Ok(())
            })
            .await?;
            self.unindex_recalled().await?;
        }
        Ok(())
    }

    async fn write_resealed(&self, resealed: Vec<Resealed>) -> Result<(), Error> {
        if resealed.is_empty() {
            return Ok(());
        }
        self.step(Commit::Bodies, move |step| {
            // A body that was written anew since it was read (sealed for its recipients, say) stays.
            let mut update = step
                .connection
                .prepare_cached("UPDATE message SET body = ?3 WHERE sequence = ?1 AND body = ?2")?;
            for Resealed {
                sequence,
                before,
                after,
            } in resealed
            {
                update.execute(params![sequence, before, after])?;
            }
            Ok(())
        })
        .await
    }
}

/// Messages after the watermark.
struct Arrivals {
    documents: Vec<Indexable>,
    resealed: Vec<Resealed>,
    /// The last one looked at.
    last: Option<i64>,
}

/// A body in the form of a locked device, and in the other.
struct Resealed {
    sequence: i64,
    before: Vec<u8>,
    after: Vec<u8>,
}

fn arrivals(
    connection: &Connection,
    keys: &ReadingKeys,
    watermark: i64,
) -> Result<Arrivals, Error> {
    let damaged = || StoreError::Damaged { what: "message" };
    let mut statement = connection.prepare_cached(
        "SELECT m.sequence, m.message_id, m.sender_device, m.sender_user, m.body, c.conversation_id,
                m.shown
         FROM message m JOIN conversation c ON c.id = m.conversation
         WHERE m.sequence > ?1 AND length(m.body) > 0 ORDER BY m.sequence LIMIT ?2",
    )?;
    let mut rows = statement.query(params![watermark, ARRIVALS_AT_ONCE])?;
    let mut opener = BodyOpener::new(keys);
    let mut found = Arrivals {
        documents: Vec::new(),
        resealed: Vec::new(),
        last: None,
    };
    while let Some(row) = rows.next()? {
        let sequence: i64 = row.get(0)?;
        let id = MessageId::from_slice(&row.get::<_, Vec<u8>>(1)?).map_err(|_| damaged())?;
        let device = DeviceId::from_slice(&row.get::<_, Vec<u8>>(2)?).map_err(|_| damaged())?;
        let sender: String = row.get(3)?;
        let sealed: Vec<u8> = row.get(4)?;
        let conversation =
            ConversationId::from_slice(&row.get::<_, Vec<u8>>(5)?).map_err(|_| damaged())?;
        let place = rows::place_id(device, id);
        found.last = Some(sequence);
        let place = rows::body_place(&place);
        let Ok(body) = opener.open(place, &sealed) else {
            // It shows as damaged in the timeline; it must not keep the others from being found.
            tracing::error!(sequence, "a message body does not open");
            continue;
        };
        if row.get(6)? {
            let content = timeline::content_of(&body)?;
            let document = Indexable::new(sequence, conversation, &sender, &content);
            found.documents.push(document);
        }
        if let Cow::Owned(after) = opener.reseal(place, &sealed)? {
            found.resealed.push(Resealed {
                sequence,
                before: sealed,
                after,
            });
        }
    }
    Ok(found)
}

/// The searchable part of a message.
pub(super) struct Indexable {
    pub(super) sequence: i64,
    conversation: [u8; 16],
    text: String,
    patient: String,
    sender: String,
}

impl Indexable {
    pub(super) fn new(
        sequence: i64,
        conversation: ConversationId,
        sender: &str,
        content: &v1::Content,
    ) -> Self {
        let (text, _) = timeline::text_of(content);
        let patient = content.patient.as_ref().map(|patient| {
            let mut words: Vec<&str> = vec![&patient.display_name];
            words.extend(patient.identifiers.iter().map(|id| id.value.as_str()));
            words.join(" ")
        });
        Self {
            sequence,
            conversation: *conversation.as_bytes(),
            text,
            patient: patient.unwrap_or_default(),
            sender: sender.to_owned(),
        }
    }

    pub(super) fn document(&self) -> Document<'_> {
        Document {
            sequence: self.sequence,
            conversation: &self.conversation,
            text: &self.text,
            title: "",
            patient: &self.patient,
            sender: &self.sender,
        }
    }
}

impl std::fmt::Debug for Indexable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Indexable")
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

const ARRIVALS_AT_ONCE: u32 = 500;
