//! Keeping the search index up with the messages.
//!
//! The index is derived: it has a watermark, and whatever lies beyond it is read from the store and
//! added, while a person reads. The same pass brings bodies that came while locked into the form that
//! opens fast.

use std::{borrow::Cow, sync::Arc};

use rusqlite::{Connection, OptionalExtension, params};
use wardline_proto::v1;

use super::{Client, Unlocked, blocking};
use crate::{
    engine::points::{Beside, Commit},
    error::Error,
    id::{ConversationId, MessageRef},
    message::{amend, content, rows},
    store::{
        StoreError,
        search::{About, Document, Facets},
    },
    vault::{BodyOpener, ReadingKeys, is_locked_form},
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

    /// Brings the index up to date, while something else happens between what it reads and what it writes.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) async fn index_while(
        &self,
        meanwhile: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        let _indexing = self.inner.indexing.lock().await;
        if let Some(unlocked) = self.inner.unlocked() {
            let arrivals = self.read_arrivals(&unlocked).await?;
            meanwhile.await;
            self.take_up(unlocked, arrivals).await?;
        }
        Ok(())
    }

    async fn catch_up(&self) -> Result<(), Error> {
        let _indexing = self.inner.indexing.lock().await;
        while let Some(unlocked) = self.inner.unlocked() {
            let arrivals = self.read_arrivals(&unlocked).await?;
            if arrivals.last.is_none() {
                return Ok(());
            }
            self.take_up(unlocked, arrivals).await?;
        }
        Ok(())
    }

    async fn read_arrivals(&self, unlocked: &Unlocked) -> Result<Arrivals, Error> {
        let index = Arc::clone(&unlocked.search);
        let watermark = blocking(move || Ok(index.watermark()?)).await?;
        let keys = Arc::clone(&unlocked.keys);
        self.inner
            .store
            .read(move |connection| arrivals(connection, &keys, watermark))
            .await
    }

    /// Writes what was read, as far as it still stands: another process may have taken a recall in since,
    /// and purged. What the index gets is in the form that opens fast, on disk, before it gets it: by that form a
    /// recall knows that the words may be in the index.
    async fn take_up(&self, unlocked: Unlocked, arrivals: Arrivals) -> Result<(), Error> {
        let Some(last) = arrivals.last else {
            return Ok(());
        };
        self.write_resealed(arrivals.resealed).await?;
        // The store's file is held until the index has the words, so that no process takes a recall in meanwhile.
        self.look(move |view| {
            let mut documents = Vec::with_capacity(arrivals.documents.len());
            for document in &arrivals.documents {
                match standing(view.connection, document.sequence)? {
                    Standing::Gone => {}
                    Standing::Fast => documents.push(document.document()),
                    // Read again.
                    Standing::Locked => return Ok(()),
                }
            }
            Beside::Index.before();
            unlocked.search.index(&documents, last)?;
            Beside::Index.after();
            Ok(())
        })
        .await
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

/// What is left of a body that was read for the index.
enum Standing {
    Gone,
    /// In the form of a locked device.
    Locked,
    /// In the form that opens fast.
    Fast,
}

fn standing(connection: &Connection, sequence: i64) -> Result<Standing, StoreError> {
    let body: Option<Vec<u8>> = connection
        .prepare_cached("SELECT body FROM message WHERE sequence = ?1 AND recalled_at IS NULL")?
        .query_row(params![sequence], |row| row.get(0))
        .optional()?;
    Ok(match body {
        Some(body) if is_locked_form(&body) => Standing::Locked,
        Some(body) if !body.is_empty() => Standing::Fast,
        _ => Standing::Gone,
    })
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
    let mut statement = connection.prepare_cached(ARRIVED)?;
    let mut rows = statement.query(params![watermark, ARRIVALS_AT_ONCE])?;
    let mut opener = BodyOpener::new(keys);
    let mut found = Arrivals {
        documents: Vec::new(),
        resealed: Vec::new(),
        last: None,
    };
    while let Some(row) = rows.next()? {
        let arrival = Arrival::read(row)?;
        found.last = Some(arrival.sequence);
        found.take(connection, &mut opener, &arrival)?;
        if arrival.shown {
            continue;
        }
        // What is corrected is found by what it says now.
        if let Some(corrected) = amend::corrects(connection, arrival.sequence)?
            && let Some(corrected) = Arrival::load(connection, corrected)?
        {
            found.take(connection, &mut opener, &corrected)?;
        }
    }
    Ok(found)
}

impl Arrivals {
    fn take(
        &mut self,
        connection: &Connection,
        opener: &mut BodyOpener<'_>,
        arrival: &Arrival,
    ) -> Result<(), Error> {
        let place = rows::place_id(arrival.reference.device, arrival.reference.id);
        let place = rows::body_place(&place);
        let Ok(body) = opener.open(place, &arrival.sealed) else {
            // It shows as damaged in the timeline; it must not keep the others from being found.
            tracing::error!(arrival.sequence, "a message body does not open");
            return Ok(());
        };
        if arrival.shown {
            let content = content::content_of(&body)?;
            let mut document = Indexable::new(
                arrival.sequence,
                arrival.conversation,
                &arrival.sender,
                arrival.priority,
                &content,
            );
            if let Some(correction) = arrival.amendment
                && let Some(correction) = Arrival::load(connection, correction)?
            {
                let said = amend::said(opener, correction.reference, &correction.sealed);
                let said = said.unwrap_or_default();
                document.text = content::corrected_text(&said, &content.type_uri);
            }
            self.documents.push(document);
        }
        if let Cow::Owned(after) = opener.reseal(place, &arrival.sealed)? {
            self.resealed.push(Resealed {
                sequence: arrival.sequence,
                before: arrival.sealed.clone(),
                after,
            });
        }
        Ok(())
    }
}

/// A message as it is read for the index.
struct Arrival {
    sequence: i64,
    reference: MessageRef,
    sender: String,
    sealed: Vec<u8>,
    conversation: ConversationId,
    shown: bool,
    /// What the policy made of it, not what its author wished.
    priority: i32,
    /// The row with the text that stands, when it was corrected.
    amendment: Option<i64>,
}

impl Arrival {
    fn load(connection: &Connection, sequence: i64) -> Result<Option<Self>, Error> {
        let mut statement = connection.prepare_cached(ARRIVED)?;
        let mut rows = statement.query(params![sequence - 1, 1])?;
        let found = rows.next()?.map(Self::read).transpose()?;
        Ok(found.filter(|found| found.sequence == sequence))
    }

    fn read(row: &rusqlite::Row<'_>) -> Result<Self, Error> {
        let damaged = |_| StoreError::Damaged { what: "message" };
        let (id, device): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
        let conversation = ConversationId::from_slice(&row.get::<_, Vec<u8>>(5)?);
        Ok(Self {
            sequence: row.get(0)?,
            reference: amend::reference(&device, &id)?,
            sender: row.get(3)?,
            sealed: row.get(4)?,
            conversation: conversation.map_err(damaged)?,
            shown: row.get(6)?,
            amendment: row.get(7)?,
            priority: row.get(8)?,
        })
    }
}

/// The searchable part of a message.
pub(super) struct Indexable {
    pub(super) sequence: i64,
    conversation: [u8; 16],
    text: String,
    patient: String,
    sender: String,
    priority: i32,
    created_at: i64,
    about: Option<Whom>,
}

/// The patient a message is about.
struct Whom {
    name: String,
    identifiers: Vec<(String, String)>,
}

impl Indexable {
    pub(super) fn new(
        sequence: i64,
        conversation: ConversationId,
        sender: &str,
        priority: i32,
        content: &v1::Content,
    ) -> Self {
        let (text, _) = content::text_of(content);
        let whom = content::patient_of(content);
        let patient = whom.as_ref().map(|patient| {
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
            priority,
            created_at: content.created_at_ms,
            about: whom.as_ref().map(|patient| Whom {
                name: patient.display_name.clone(),
                identifiers: patient
                    .identifiers
                    .iter()
                    .map(|id| (id.system.clone(), id.value.clone()))
                    .collect(),
            }),
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
            facets: Facets {
                priority: self.priority,
                created_at: self.created_at,
                about: self.about.as_ref().map(|whom| About {
                    name: &whom.name,
                    identifiers: &whom.identifiers,
                }),
            },
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
/// The columns are those of [`Arrival::read`].
const ARRIVED: &str = "
    SELECT m.sequence, m.message_id, m.sender_device, m.sender_user, m.body, c.conversation_id,
           m.shown, m.amendment, m.priority
    FROM message m JOIN conversation c ON c.id = m.conversation
    WHERE m.sequence > ?1 AND length(m.body) > 0 ORDER BY m.sequence LIMIT ?2";
