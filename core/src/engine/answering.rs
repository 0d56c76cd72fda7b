//! Answering: a person accepts or declines a message, here or on another device.
//!
//! An answer goes to everybody in the conversation as a signed content, because everybody wants to know who
//! has taken it. Answering is reading: the author gets a read receipt too.
//!
//! Not its concern: which answers count and who has the last word, which is `message::answer`'s.

use rusqlite::{OptionalExtension, params};
use wardline_org::{DeviceId, Timestamp, UserId};
use wardline_proto::{Message, v1};

use super::{Step, escalating, event::Event, expiring, failing::Names, outbox};
use crate::{
    audit::Action,
    conversation::{self, Recipient, role::RoleSpeaker},
    error::{Error, SendError},
    id::{ConversationId, MessageId, MessageRef},
    message::{
        ANSWER, Direction, Priority, Proof, Verdict, amend,
        answer::{self, Counted, NewAnswer},
        content, passing, recall, receipts, reminders,
    },
    policy,
    store::StoreError,
};

/// Answers a message in this person's name; answers the id of what said so.
pub(crate) fn answer(
    step: &mut Step<'_>,
    message: MessageRef,
    verdict: Verdict,
    read_back: &str,
) -> Result<MessageId, Error> {
    let subject = Subject::load(step, message)?.ok_or(Error::Unknown)?;
    subject.check(verdict, read_back)?;
    expiring::refuse_over(step, message, SendError::NotAsked)?;
    let rules = step.memory.directory.policy(step.connection)?;
    policy::check_length(read_back, &rules)?;
    let version = amend::standing(step.connection, message)?;
    let mut content = v1::Content {
        type_uri: ANSWER.to_owned(),
        body: v1::AnswerBody {
            verdict: wire(verdict).into(),
            read_back: read_back.to_owned(),
        }
        .encode_to_vec(),
        fallback_text: read_back.to_owned(),
        priority: Priority::Routine as i32,
        subject: Some(v1::MessageReference {
            sender_device: message.device.to_vec(),
            message_id: message.id.as_bytes().to_vec(),
            content_hash: subject.hash.clone(),
        }),
        subject_version: version.map(|(version, hash)| content::reference_to(version, hash)),
        ..Default::default()
    };
    escalating::speak_where_written(step, message, &mut content)?;
    let (row, id) = outbox::write(step, &subject.recipient, content)?;
    let user = step.context.identity.user_id.clone();
    answer::note(
        step.connection,
        &NewAnswer {
            row,
            subject: message,
            subject_hash: &subject.hash,
            user: &user,
            device: step.us(),
            verdict,
            at: step.now(),
            read_back: !read_back.trim().is_empty(),
        },
    )?;
    reminders::stop(step.connection, message)?;
    if receipts::mark_read(
        step.connection,
        message,
        step.now(),
        step.context.clocks.latest(),
    )?
    .is_some()
    {
        step.audit(Action::MessageRead, message.id.as_bytes())?;
    }
    step.audit(Action::MessageAnswered, message.id.as_bytes())?;
    Ok(id)
}

/// Says an answer of ours once more, to whoever it concerns by now.
pub(super) fn say_again(
    step: &mut Step<'_>,
    recipient: &Recipient,
    said: v1::Content,
) -> Result<(), Error> {
    let Some((subject, hash, verdict)) = content::answer_in(&said) else {
        return Ok(());
    };
    let hash = hash.to_vec();
    let mut again = v1::Content {
        type_uri: said.type_uri.clone(),
        body: said.body.clone(),
        fallback_text: said.fallback_text.clone(),
        priority: said.priority,
        subject: said.subject.clone(),
        subject_version: said.subject_version.clone(),
        ..Default::default()
    };
    escalating::speak_where_written(step, subject, &mut again)?;
    let (row, _) = outbox::write(step, recipient, again)?;
    let user = step.context.identity.user_id.clone();
    let read_back = content::said(&said).is_some_and(|said| !said.read_back.trim().is_empty());
    answer::note(
        step.connection,
        &NewAnswer {
            row,
            subject,
            subject_hash: &hash,
            user: &user,
            device: step.us(),
            verdict,
            at: step.now(),
            read_back,
        },
    )?;
    Ok(())
}

/// Takes in somebody's answer, which stands in row `row`.
pub(super) fn apply(
    step: &mut Step<'_>,
    row: i64,
    user: &UserId,
    content: &v1::Content,
    speaks: Option<RoleSpeaker>,
) -> Result<(), Error> {
    let Some((subject, subject_hash, verdict)) = content::answer_in(content) else {
        tracing::warn!("an answer says nothing, or not to what");
        return Ok(());
    };
    let device = DeviceId::from_slice(&content.sender_device).map_err(|_| Error::Unknown)?;
    if speaks.is_some() {
        // Whoever holds the role has it, though it was not sealed for them: somebody has passed it on.
        passing::has_it(step.connection, subject, subject_hash, device)?;
    }
    let counts = answer::note(
        step.connection,
        &NewAnswer {
            row,
            subject,
            subject_hash,
            user,
            device,
            verdict,
            at: Timestamp::from_millis(content.created_at_ms),
            read_back: content::said(content).is_some_and(|said| !said.read_back.trim().is_empty()),
        },
    )?;
    // What is said to a message that was taken back says what it said.
    recall::bury_words_of_recalled(step.connection, subject, step.now())?;
    if counts {
        let conversation = Names::of(step, row)?.conversation;
        let user = user.clone();
        tell(step, subject, conversation, Counted { user, verdict })?;
    }
    Ok(())
}

/// Counts the answers that came before their message.
pub(super) fn settle(
    step: &mut Step<'_>,
    message: MessageRef,
    conversation: ConversationId,
) -> Result<(), Error> {
    for counted in answer::count(step.connection, message)? {
        tell(step, message, conversation, counted)?;
    }
    Ok(())
}

fn tell(
    step: &mut Step<'_>,
    message: MessageRef,
    conversation: ConversationId,
    Counted { user, verdict }: Counted,
) -> Result<(), Error> {
    if user == step.context.identity.user_id {
        reminders::stop(step.connection, message)?;
    }
    step.audit(Action::MessageAnswered, message.id.as_bytes())?;
    step.emit(&Event::MessageAnswered {
        message,
        conversation,
        user,
        verdict,
    })
}

fn wire(verdict: Verdict) -> v1::Verdict {
    match verdict {
        Verdict::Accepted => v1::Verdict::Accepted,
        Verdict::Declined => v1::Verdict::Declined,
    }
}

/// A message that somebody wants to answer.
struct Subject {
    recipient: Recipient,
    direction: Direction,
    proof: i64,
    asks: bool,
    recalled: bool,
    hash: Vec<u8>,
    reads_back: bool,
}

impl Subject {
    fn load(step: &Step<'_>, message: MessageRef) -> Result<Option<Self>, Error> {
        let damaged = || StoreError::Damaged { what: "message" };
        let row = step
            .connection
            .prepare_cached(
                "SELECT c.reference, m.direction, m.proof, m.asks, m.content_hash,
                        m.recalled_at IS NOT NULL, m.reads_back
                 FROM message m JOIN conversation c ON c.id = m.conversation
                 WHERE m.sender_device = ?1 AND m.message_id = ?2 AND m.shown = 1",
            )?
            .query_row(
                params![message.device.as_bytes(), message.id.as_bytes()],
                |row| {
                    Ok((
                        row.get::<_, Vec<u8>>(0)?,
                        row.get::<_, i64>(1)?,
                        row.get(2)?,
                        row.get(3)?,
                        row.get::<_, Option<Vec<u8>>>(4)?,
                        row.get(5)?,
                        row.get(6)?,
                    ))
                },
            )
            .optional()?;
        let Some((reference, direction, proof, asks, hash, recalled, reads_back)) = row else {
            return Ok(None);
        };
        let us = &step.context.identity.user_id;
        Ok(Some(Self {
            recipient: conversation::recipient(&reference, us)?,
            direction: Direction::from_stored(direction).ok_or_else(damaged)?,
            proof,
            asks,
            recalled,
            hash: hash.unwrap_or_default(),
            reads_back,
        }))
    }

    fn check(&self, verdict: Verdict, read_back: &str) -> Result<(), SendError> {
        if self.direction != Direction::Incoming {
            return Err(SendError::OwnMessage);
        }
        if self.proof != Proof::Proven as i64 {
            return Err(SendError::SenderRevoked);
        }
        if !self.asks || self.recalled {
            return Err(SendError::NotAsked);
        }
        let accepts = verdict == Verdict::Accepted;
        if self.reads_back && accepts && read_back.trim().is_empty() {
            return Err(SendError::ReadBackNeeded);
        }
        Ok(())
    }
}
