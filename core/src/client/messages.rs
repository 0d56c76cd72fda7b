//! Writing and reading: send, timelines, receipts, search, drafts, events.

use rusqlite::{OptionalExtension, params};

use super::{Client, blocking};
use crate::{
    audit::Action,
    conversation,
    conversation::Recipient,
    engine::{
        answering,
        event::{self, Delivered, EventCursor},
        outbox,
        points::Commit,
        recalling,
    },
    error::Error,
    id::{ConversationId, MessageId, MessageRef},
    message::{
        Answer, ConversationPage, Cursor, Draft, Message, OpenItems, Page, PersonDelivery, Verdict,
        answer, list, receipts, timeline,
    },
    store::search::Query,
    vault::{BodyPlace, BodySealer},
};

impl Client {
    /// Takes a message. When this answers it is on disk and will be sent, whatever happens to the
    /// process or the network; with live sessions and a fresh directory it is sealed already.
    ///
    /// # Errors
    /// [`crate::SendError`], with nothing kept of the message.
    pub async fn send(&self, draft: Draft) -> Result<MessageId, Error> {
        let refused = draft.recipient.conversation(
            &self.inner.identity.organization,
            &self.inner.identity.user_id,
        );
        let sent = self
            .step(Commit::Send, move |step| outbox::send(step, &draft))
            .await;
        match sent {
            Ok(message) => {
                self.inner.wake.notify_one();
                Ok(message)
            }
            Err(Error::Send(error)) => {
                self.step(Commit::Refuse, move |step| {
                    step.audit(Action::PolicyRefused, refused.as_bytes())
                })
                .await?;
                Err(Error::Send(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Accepts or declines a message that asks for it, with what was understood or why not. Everybody in
    /// the conversation learns of it; answering is reading. A person may change their mind: the last answer
    /// stands. Durable when it answers, like [`Client::send`]; answers the id of the answer, which
    /// [`Client::deliveries`] knows.
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody may read; [`Error::Unknown`] for a message that is not here;
    /// [`crate::SendError::NotAsked`], [`crate::SendError::OwnMessage`],
    /// [`crate::SendError::SenderRevoked`].
    ///
    /// ```
    /// # async fn take(client: wardline::Client, page: wardline::Page) -> Result<(), wardline::Error> {
    /// use wardline::Verdict;
    ///
    /// for message in page.messages {
    ///     if message.asked.is_some_and(|asked| asked.open) {
    ///         client.answer(message.reference(), Verdict::Accepted, "K 6.6, on my way").await?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn answer(
        &self,
        message: MessageRef,
        verdict: Verdict,
        read_back: &str,
    ) -> Result<MessageId, Error> {
        self.inner.reading()?;
        let read_back = read_back.to_owned();
        let answer = self
            .step(Commit::Answer, move |step| {
                answering::answer(step, message, verdict, &read_back)
            })
            .await?;
        self.inner.wake.notify_one();
        Ok(answer)
    }

    /// Takes a message of this person back, with a reason that everybody in the conversation can read: its
    /// text is gone from here at once, from devices that are online in a moment, from others before they show
    /// it. What has become of it on each device is in [`Client::deliveries`].
    ///
    /// A device that was shown it may have been read, photographed or backed up; what a recall means is each
    /// device's own word.
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody may read; [`Error::Unknown`] for a message that is not here;
    /// [`crate::SendError::NotYours`]; [`crate::SendError::TooLateToRecall`] after the policy's time.
    ///
    /// ```
    /// # async fn wrong(client: wardline::Client, page: wardline::Page) -> Result<(), wardline::Error> {
    /// if let Some(newest) = page.messages.last() {
    ///     client.recall(newest.reference(), "wrong patient").await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn recall(&self, message: MessageRef, reason: &str) -> Result<(), Error> {
        self.inner.reading()?;
        let reason = reason.to_owned();
        self.step(Commit::Recall, move |step| {
            recalling::recall(step, message, &reason)
        })
        .await?;
        self.purge_or_later().await;
        self.inner.wake.notify_one();
        Ok(())
    }

    /// Every answer to a message that counts, oldest first; the last one of a person stands.
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody may read.
    pub async fn answers(&self, message: MessageRef) -> Result<Vec<Answer>, Error> {
        let keys = self.inner.reading()?.keys;
        let latest = self.latest();
        self.inner
            .store
            .read(move |connection| answer::all(connection, &keys, message, latest))
            .await
    }

    /// Messages that ask for an answer which nobody has given yet, the most urgent first, then by their
    /// deadlines.
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody may read.
    pub async fn open_items(&self, which: OpenItems, limit: u32) -> Result<Vec<Message>, Error> {
        let keys = self.inner.reading()?.keys;
        let now = self.inner.clock.now();
        let latest = self.latest();
        self.inner
            .store
            .read(move |connection| {
                let open = answer::open(connection, which, now, limit)?;
                timeline::found(connection, &keys, &open, latest)
            })
            .await
    }

    /// The conversation that this person shares with a recipient.
    pub fn conversation(&self, recipient: &Recipient) -> ConversationId {
        recipient.conversation(
            &self.inner.identity.organization,
            &self.inner.identity.user_id,
        )
    }

    /// A page of a conversation, ending before `before` or with the newest message.
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody may read.
    pub async fn timeline(
        &self,
        conversation: ConversationId,
        before: Option<Cursor>,
        size: u32,
    ) -> Result<Page, Error> {
        let keys = self.inner.reading()?.keys;
        let latest = self.latest();
        self.inner
            .store
            .read(move |connection| {
                timeline::page(connection, &keys, conversation, before, size, latest)
            })
            .await
    }

    /// A page of the list of conversations: those whose newest message is older than `before`, or the
    /// first ones, the newest first. Works while locked; only the previews are missing then.
    ///
    /// A conversation in which somebody has only begun to write is not on the list, see
    /// [`Client::draft`]. One that gets a message between two pages moves to the front: it is on the
    /// first page when that is asked for again.
    ///
    /// # Errors
    /// Those of reading the store.
    ///
    /// ```
    /// # async fn show(client: wardline::Client) -> Result<(), wardline::Error> {
    /// let mut page = client.conversations(None, 50).await?;
    /// println!("{} unread in all", page.unread);
    /// while let Some(before) = page.before {
    ///     page = client.conversations(Some(before), 50).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn conversations(
        &self,
        before: Option<Cursor>,
        size: u32,
    ) -> Result<ConversationPage, Error> {
        let keys = self.inner.unlocked().map(|unlocked| unlocked.keys);
        let us = self.user().clone();
        let latest = self.latest();
        self.inner
            .store
            .read(move |connection| {
                list::page(connection, &us, keys.as_deref(), before, size, latest)
            })
            .await
    }

    /// Messages by name, in the order asked: what an event has announced, say. Those that are not on
    /// this device are left out.
    ///
    /// # Errors
    /// [`Error::Locked`] when nobody may read.
    pub async fn messages(&self, messages: Vec<MessageRef>) -> Result<Vec<Message>, Error> {
        let keys = self.inner.reading()?.keys;
        let latest = self.latest();
        self.inner
            .store
            .read(move |connection| timeline::by_name(connection, &keys, &messages, latest))
            .await
    }

    /// How a message of this device stands with everybody it went to.
    pub async fn deliveries(&self, message: MessageId) -> Result<Vec<PersonDelivery>, Error> {
        let us = self.device();
        Ok(self
            .inner
            .store
            .read(move |connection| timeline::deliveries(connection, us, message))
            .await?)
    }

    /// Notes that a person has opened messages, here; their authors get a signed receipt. A preview
    /// on a lock screen is not an opening.
    pub async fn mark_read(&self, messages: Vec<MessageRef>) -> Result<(), Error> {
        self.inner.reading()?;
        self.step(Commit::Read, move |step| {
            for message in messages {
                let read = receipts::mark_read(
                    step.connection,
                    message,
                    step.now(),
                    step.context.clocks.latest(),
                )?;
                if let Some(conversation) = read {
                    step.audit(Action::MessageRead, message.id.as_bytes())?;
                    step.conversation_changed(conversation);
                    step.outgoing_changed();
                }
            }
            Ok(())
        })
        .await?;
        self.inner.wake.notify_one();
        Ok(())
    }

    /// How many messages of a conversation nobody has opened yet.
    pub async fn unread(&self, conversation: ConversationId) -> Result<u64, Error> {
        self.inner
            .store
            .read(move |connection| {
                let unread: Option<i64> = connection
                    .prepare_cached("SELECT unread FROM conversation WHERE conversation_id = ?1")?
                    .query_row(params![conversation.as_bytes()], |row| row.get(0))
                    .optional()?;
                Ok(unread
                    .and_then(|unread| u64::try_from(unread).ok())
                    .unwrap_or(0))
            })
            .await
    }

    /// How many messages nobody has opened yet, in all conversations: what an app's badge shows.
    ///
    /// # Errors
    /// Those of reading the store.
    pub async fn unread_total(&self) -> Result<u64, Error> {
        Ok(self.inner.store.read(list::unread).await?)
    }

    /// Looks for messages: all words must occur, the last one may be unfinished. Newest first.
    pub async fn search(
        &self,
        text: &str,
        conversation: Option<ConversationId>,
        before: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<Message>, Error> {
        let unlocked = self.inner.reading()?;
        // What was written here since the last batch is looked for too.
        self.take_up_arrivals().await?;
        let text = text.to_owned();
        let index = std::sync::Arc::clone(&unlocked.search);
        let found = blocking(move || {
            Ok(index.query(&Query {
                text: &text,
                conversation: conversation.as_ref().map(|id| id.as_bytes().as_slice()),
                before: before.map(|cursor| cursor.0),
                limit,
            })?)
        })
        .await?;
        let keys = unlocked.keys;
        let latest = self.latest();
        self.inner
            .store
            .read(move |connection| timeline::found(connection, &keys, &found, latest))
            .await
    }

    /// Keeps what somebody has begun to write; an empty text removes it.
    pub async fn save_draft(&self, recipient: Recipient, text: &str) -> Result<(), Error> {
        let keys = self.inner.reading()?.keys;
        let id = self.conversation(&recipient);
        let sealed = if text.is_empty() {
            None
        } else {
            Some(BodySealer::reading(&keys).seal(draft_place(&id), text.as_bytes())?)
        };
        self.step(Commit::Draft, move |step| {
            let reference = recipient.reference(&step.context.identity.user_id, None);
            let row = conversation::ensure(step.connection, id, &reference)?;
            step.connection
                .prepare_cached("UPDATE conversation SET draft = ?2 WHERE id = ?1")?
                .execute(params![row, sealed])?;
            step.conversation_changed(row);
            Ok(())
        })
        .await
    }

    /// What somebody has begun to write.
    pub async fn draft(&self, conversation: ConversationId) -> Result<Option<String>, Error> {
        let keys = self.inner.reading()?.keys;
        self.inner
            .store
            .read(move |connection| {
                let sealed: Option<Option<Vec<u8>>> = connection
                    .prepare_cached("SELECT draft FROM conversation WHERE conversation_id = ?1")?
                    .query_row(params![conversation.as_bytes()], |row| row.get(0))
                    .optional()?;
                let Some(sealed) = sealed.flatten() else {
                    return Ok(None);
                };
                let text = keys.open_body(draft_place(&conversation), &sealed)?;
                Ok(Some(String::from_utf8_lossy(&text).into_owned()))
            })
            .await
    }

    /// The events after a cursor, oldest first; begin with the default cursor. They come again until
    /// they are confirmed.
    pub async fn events_from(
        &self,
        cursor: EventCursor,
        most: u32,
    ) -> Result<Vec<Delivered>, Error> {
        Ok(self
            .inner
            .store
            .read(move |connection| event::after(connection, cursor, most))
            .await?)
    }

    /// Confirms every event up to a cursor: they will not come again.
    pub async fn confirm_events(&self, cursor: EventCursor) -> Result<(), Error> {
        self.step(Commit::Confirm, move |step| {
            Ok(event::confirm(step.connection, cursor)?)
        })
        .await
    }
}

fn draft_place(conversation: &ConversationId) -> BodyPlace<'_> {
    BodyPlace::new("conversation.draft", conversation.as_bytes())
}
