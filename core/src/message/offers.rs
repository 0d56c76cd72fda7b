//! Offers: short texts of a message that a recipient answers with as they are, by one tap.
//!
//! A reply with one is an ordinary text in the same conversation, so that everybody can read it. It also names the
//! message and the place of the offer; that is believed only when the reply says the very text that the message offers
//! there, comes from a proven device that the message was sealed for, and speaks of that ciphertext. Otherwise it is a
//! text like any other.
//!
//! Not its concern: sending one, which is `engine::choosing`'s, and accepting what asks for an answer, which is
//! [`super::answer`]'s: an offer is no verdict.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use wardline_org::{DeviceId, Timestamp, UserId};
use wardline_proto::v1;

use super::{Proof, TEXT, amend, content, rows};
use crate::{
    error::{Error, SendError},
    id::{MessageId, MessageRef},
    store::StoreError,
    vault::{BodyOpener, ReadingKeys},
};

/// Somebody's reply with one of the texts that a message offers.
#[derive(Clone, PartialEq, Eq)]
pub struct Choice {
    /// Who chose.
    pub user: UserId,
    /// The place of the offer.
    pub index: u32,
    /// When, by the clock of their device.
    pub at: Timestamp,
    /// The reply.
    pub reply: MessageRef,
    /// Whether it is the person's last one.
    pub stands: bool,
    /// Whether they had read another text than the one that stands: the message was corrected since.
    pub outdated: bool,
}

/// Shows which, nothing of what was written and by whom.
impl std::fmt::Debug for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Choice")
            .field("index", &self.index)
            .field("stands", &self.stands)
            .finish_non_exhaustive()
    }
}

/// Whether these texts may be offered.
pub(crate) fn check(offers: &[String]) -> Result<(), SendError> {
    let number = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    if offers.len() > MOST {
        return Err(SendError::TooManyOffers {
            length: number(offers.len()),
            limit: number(MOST),
        });
    }
    let mut before: Vec<&str> = Vec::new();
    for (index, offer) in (0_u32..).zip(offers) {
        let text = offer.trim();
        let unfit = text.is_empty()
            || offer.len() > MOST_BYTES
            || offer.chars().any(char::is_control)
            || before.contains(&text);
        if unfit {
            return Err(SendError::BadOffer {
                index,
                limit: number(MOST_BYTES),
            });
        }
        before.push(text);
    }
    Ok(())
}

/// What a content offers. Nothing when nobody may offer that: on every device the same place is the same text.
pub(crate) fn of(content: &v1::Content) -> &[String] {
    match check(&content.offers) {
        Ok(()) => &content.offers,
        Err(_) => &[],
    }
}

/// The message of whose offers a content claims to be one.
pub(crate) fn choice_of(content: &v1::Content) -> Option<MessageRef> {
    content.choice.as_ref()?;
    let (subject, _) = content::subject_of(content)?;
    (content.type_uri == TEXT).then_some(subject)
}

/// Notes that a row claims to be one of the offers of a message.
pub(crate) fn note(
    connection: &Connection,
    row: i64,
    subject: MessageRef,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO choice (message, subject_device, subject_id) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![
            row,
            subject.device.as_bytes(),
            subject.id.as_bytes()
        ])?;
    Ok(())
}

/// The place of the offer that a reply is, if it is one. `proof` is what stands behind its sender, as it is stored.
pub(crate) fn chosen(
    connection: &Connection,
    opener: &mut BodyOpener<'_>,
    reply: &v1::Content,
    proof: i64,
) -> Result<Option<u32>, Error> {
    let Some(subject) = choice_of(reply) else {
        return Ok(None);
    };
    if proof != Proof::Proven as i64 {
        return Ok(None);
    }
    let offered = Offered::load(connection, opener, subject)?;
    Ok(offered.and_then(|offered| offered.chosen(reply)))
}

/// Every reply with an offer of a message, in the order in which they stand.
pub(crate) fn all(
    connection: &Connection,
    keys: &ReadingKeys,
    subject: MessageRef,
) -> Result<Vec<Choice>, Error> {
    let damaged = || StoreError::Damaged { what: "choice" };
    let mut opener = BodyOpener::new(keys);
    let Some(offered) = Offered::load(connection, &mut opener, subject)? else {
        return Ok(Vec::new());
    };
    let text = amend::standing(connection, subject)?.map(|(version, _)| version);
    let mut statement = connection.prepare_cached(REPLIES)?;
    let mut rows = statement.query(params![subject.device.as_bytes(), subject.id.as_bytes()])?;
    let mut choices = Vec::new();
    while let Some(row) = rows.next()? {
        let device = DeviceId::from_slice(&row.get::<_, Vec<u8>>(1)?).map_err(|_| damaged())?;
        let id = MessageId::from_slice(&row.get::<_, Vec<u8>>(2)?).map_err(|_| damaged())?;
        let place = rows::place_id(device, id);
        let body = opener.open(rows::body_place(&place), &row.get::<_, Vec<u8>>(4)?);
        let reply = body.ok().and_then(|body| content::content_of(&body).ok());
        let Some((reply, index)) = reply.and_then(|reply| {
            let index = offered.chosen(&reply)?;
            Some((reply, index))
        }) else {
            continue;
        };
        choices.push(Choice {
            user: UserId::new(row.get::<_, String>(0)?).map_err(|_| damaged())?,
            index,
            at: Timestamp::from_millis(row.get(3)?),
            reply: MessageRef { device, id },
            stands: false,
            outdated: content::version_of(&reply) != text,
        });
    }
    let mut last = BTreeMap::new();
    for choice in &mut choices {
        last.insert(choice.user.clone(), choice);
    }
    last.into_values().for_each(|choice| choice.stands = true);
    Ok(choices)
}

/// A message that offers something, as it was first written.
pub(crate) struct Offered {
    content: v1::Content,
    author: String,
    hash: Vec<u8>,
}

impl Offered {
    /// `None` when the message is not here, was taken back, is over, does not open or offers nothing.
    pub(crate) fn load(
        connection: &Connection,
        opener: &mut BodyOpener<'_>,
        subject: MessageRef,
    ) -> Result<Option<Self>, StoreError> {
        let found: Option<(String, Option<Vec<u8>>, Vec<u8>)> = connection
            .prepare_cached(
                "SELECT sender_user, content_hash, body FROM message
                 WHERE sender_device = ?1 AND message_id = ?2 AND shown = 1
                   AND recalled_at IS NULL AND hidden_at IS NULL",
            )?
            .query_row(
                params![subject.device.as_bytes(), subject.id.as_bytes()],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()?;
        let Some((author, Some(hash), body)) = found else {
            return Ok(None);
        };
        let place = rows::place_id(subject.device, subject.id);
        let body = opener.open(rows::body_place(&place), &body).ok();
        let content = body.and_then(|body| content::content_of(&body).ok());
        let content = content.filter(|content| !of(content).is_empty());
        Ok(content.map(|content| Self {
            content,
            author,
            hash,
        }))
    }

    /// The text at a place.
    pub(crate) fn text(&self, index: u32) -> Option<&str> {
        let index = usize::try_from(index).ok()?;
        of(&self.content).get(index).map(String::as_str)
    }

    /// The place of the offer that a reply of a proven device is.
    fn chosen(&self, reply: &v1::Content) -> Option<u32> {
        let index = reply.choice.as_ref()?.index;
        let (_, hash) = content::subject_of(reply)?;
        let by_recipient = reply.sender_user_id != self.author
            && self
                .content
                .recipient_devices
                .contains(&reply.sender_device);
        let of_this = hash == self.hash && reply.conversation_id == self.content.conversation_id;
        let same = self.text(index) == Some(content::text_of(reply).0.as_str());
        (by_recipient && of_this && same).then_some(index)
    }
}

const MOST: usize = 8;
const MOST_BYTES: usize = 160;
/// What claims to be a reply with an offer, from proven devices, as it was first written.
const REPLIES: &str = "
    SELECT m.sender_user, m.sender_device, m.message_id, m.created_at, m.body
    FROM choice c JOIN message m ON m.sequence = c.message
    WHERE c.subject_device = ?1 AND c.subject_id = ?2 AND m.proof = 1
      AND m.recalled_at IS NULL AND m.amendment IS NULL
    ORDER BY m.created_at, m.message_id";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_is_short_told_apart_and_one_line() {
        let offers = |texts: &[&str]| -> Vec<String> {
            texts.iter().map(|text| (*text).to_owned()).collect()
        };
        let (limit, long) = (160, "x".repeat(161));
        assert_eq!(check(&offers(&[])), Ok(()));
        assert_eq!(check(&offers(&["Yes", "No", &"ä".repeat(80)])), Ok(()));
        for (texts, index) in [
            (offers(&["Yes", " "]), 1),
            (offers(&["Yes", "Yes "]), 1),
            (offers(&[&long]), 0),
            (offers(&["Yes\nNo"]), 0),
        ] {
            assert_eq!(check(&texts), Err(SendError::BadOffer { index, limit }));
            let content = v1::Content {
                offers: texts,
                ..Default::default()
            };
            assert!(of(&content).is_empty(), "from elsewhere it is nothing");
        }
        let nine = (0..9).map(|number| number.to_string()).collect::<Vec<_>>();
        let refused = check(&nine);
        assert!(matches!(
            refused,
            Err(SendError::TooManyOffers {
                length: 9,
                limit: 8
            })
        ));
    }
}
