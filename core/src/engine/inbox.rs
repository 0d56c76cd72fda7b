//! The way in: a batch of envelopes becomes messages, in one transaction.
//!
//! 1. Every sender is looked up first; when the directory has to be asked, nothing is opened yet.
//! 2. Olm opens one envelope after the other, because it moves ratchets.
//! 3. Contents are decrypted on every core and the authors' signatures verified together.
//! 4. Each is applied by itself: a bad envelope is refused and never sinks its neighbours.
//!
//! The cursor moves in the same transaction, so an envelope is either dealt with or still at the
//! relay. One that does not open is fetched again before it is believed to be broken, because most
//! damage happens on the way; until then it is as if it had not come, down to the ratchets.

use std::collections::HashMap;

use rayon::prelude::*;
use rusqlite::{OptionalExtension, params};
use wardline_org::{DeviceId, EnvelopeId, UserId, signer};
use wardline_proto::v1;

use super::{
    Step,
    attempt::{Attempts, Caution},
    control,
    envelopes::{known_envelope, note_envelope, refuse},
    escalating, hold_keys,
    keeping::{Believed, keep},
    passed,
    placing::place,
    points::Beside,
    roles,
};
use crate::{
    directory::{ProvenSender, SenderLookup},
    error::Error,
    id::MessageRef,
    session::{
        OpenFailure,
        content::SIGNATURE_PURPOSE,
        hold::{HeldContentKey, HeldPlace, HoldKey},
        open::{Opened, OpenedContent, OpenedKey, open},
    },
    vault::BodySealer,
};

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct BatchOutcome {
    /// Entries have to be fetched first; nothing was opened.
    pub(crate) needs_directory: bool,
    /// The cursor stands here now: everything up to it is dealt with.
    pub(crate) dealt_with: u64,
    /// The cursor has moved.
    pub(crate) moved: bool,
    /// Some of the batch is still to be dealt with.
    pub(crate) left: bool,
    /// Sequences that did not open and are to be fetched again.
    pub(crate) doubtful: Vec<u64>,
}

/// Opens and applies a batch. `doubts` counts how often a sequence has been fetched and did not open.
pub(crate) fn receive(
    step: &mut Step<'_>,
    attempts: &Attempts,
    batch: &v1::ReceiveResponse,
    doubts: &HashMap<u64, u32>,
) -> Result<BatchOutcome, Error> {
    let mut mailbox = Mailbox::load(step, &batch.epoch)?;
    let mut new: Vec<&v1::Envelope> = batch
        .envelopes
        .iter()
        .filter(|envelope| envelope.sequence > mailbox.sequence)
        .collect();
    new.sort_unstable_by_key(|envelope| envelope.sequence);
    let last = new.last().map_or(mailbox.sequence, |last| last.sequence);
    let (mut new, set_aside) = with_caution(attempts, &batch.epoch, new);
    let Some(mut senders) = senders(step, &new)? else {
        return Ok(BatchOutcome {
            needs_directory: true,
            ..BatchOutcome::default()
        });
    };
    let begun = new.first().zip(new.last());
    if let Some((first, last)) = begun {
        attempts.begin(&batch.epoch, first.sequence, last.sequence);
    }
    let begun = begun.is_some();
    Beside::Opening.before();

    let before = mailbox.sequence;
    let mut doubtful = Vec::new();
    let Some(opened) = open_whole(step, &mut new, &mut senders, doubts, &mut doubtful)? else {
        attempts.opened();
        return Ok(BatchOutcome {
            needs_directory: true,
            ..BatchOutcome::default()
        });
    };
    doubtful.sort_unstable();
    let first_doubtful = doubtful.first().copied().unwrap_or(u64::MAX);
    // Copied out of the step, so that the sealer does not hold on to it.
    let context = step.context;
    let sealer = context.body_sealer()?;
    for (envelope, (sender, opened)) in new.iter().zip(senders.iter().zip(opened)) {
        match opened {
            Ok(inside) => {
                let sender = sender.as_ref().ok_or(Error::Unknown)?;
                apply(step, &sealer, envelope, sender, inside)?;
            }
            Err(_) if known_envelope(step, envelope)? => {}
            Err(failure) => refuse(step, envelope, failure)?,
        }
        // It stays before what is to be fetched again; neighbours that come with it are known then.
        if envelope.sequence < first_doubtful {
            mailbox.sequence = envelope.sequence;
        }
    }
    if begun {
        attempts.opened();
    }
    Beside::Opening.after();
    if let Some(poison) = set_aside {
        refuse(step, poison, OpenFailure::Poison)?;
        mailbox.sequence = poison.sequence;
    }
    mailbox.save(step)?;
    Ok(BatchOutcome {
        needs_directory: false,
        dealt_with: mailbox.sequence,
        moved: mailbox.sequence > before,
        left: mailbox.sequence < last,
        doubtful,
    })
}

/// Opens what opens or is certainly broken. What may only be damaged on the way is taken out of the
/// batch, and the rest is opened as if it had never been there. `None` when what is inside cannot be judged before
/// entries are fetched: then nothing was opened.
fn open_whole(
    step: &mut Step<'_>,
    new: &mut Vec<&v1::Envelope>,
    senders: &mut Vec<Option<ProvenSender>>,
    doubts: &HashMap<u64, u32>,
    doubtful: &mut Vec<u64>,
) -> Result<Option<Vec<Result<Inside, OpenFailure>>>, Error> {
    loop {
        step.connection.execute_batch("SAVEPOINT opening")?;
        let opened = open_all(step, new, senders)?;
        if !can_judge(step, &opened)? {
            step.connection
                .execute_batch("ROLLBACK TO opening; RELEASE opening")?;
            step.memory.ratchets.job_failed();
            return Ok(None);
        }
        let mut whole = Vec::with_capacity(opened.len());
        for (envelope, opened) in new.iter().zip(&opened) {
            let fetched = doubts.get(&envelope.sequence).copied().unwrap_or(0);
            whole
                .push(opened.is_ok() || fetched >= MOST_FETCHES || known_envelope(step, envelope)?);
        }
        if whole.iter().all(|whole| *whole) {
            step.connection.execute_batch("RELEASE opening")?;
            return Ok(Some(opened));
        }
        step.connection
            .execute_batch("ROLLBACK TO opening; RELEASE opening")?;
        step.memory.ratchets.job_failed();
        let mut verdicts = whole.iter();
        senders.retain(|_| verdicts.next().is_some_and(|whole| *whole));
        let mut verdicts = whole.iter();
        new.retain(|envelope| {
            let whole = verdicts.next().is_some_and(|whole| *whole);
            if !whole {
                doubtful.push(envelope.sequence);
            }
            whole
        });
    }
}

/// Whether every entry is at hand by which contents are judged; what is not is asked for.
fn can_judge(step: &mut Step<'_>, opened: &[Result<Inside, OpenFailure>]) -> Result<bool, Error> {
    let mut complete = true;
    for inside in opened.iter().flatten() {
        if let Inside::Content(opened) | Inside::Held(opened, _) = inside {
            complete &= roles::can_judge(step, &opened.content)?
                && passed::can_judge(step, &opened.content)?;
        }
    }
    Ok(complete)
}

/// How far the mailbox has been read.
struct Mailbox {
    epoch: Vec<u8>,
    sequence: u64,
}

impl Mailbox {
    /// The cursor in the numbering of `epoch`; a relay that numbers anew is read from the start.
    fn load(step: &Step<'_>, epoch: &[u8]) -> Result<Self, Error> {
        let (known, sequence) = position(step)?;
        let sequence = if known == epoch { sequence } else { 0 };
        Ok(Self {
            epoch: epoch.to_vec(),
            sequence,
        })
    }

    fn save(&self, step: &Step<'_>) -> Result<(), Error> {
        step.connection
            .prepare_cached(
                "INSERT INTO mailbox (singleton, epoch, sequence, relay_clock) VALUES (1, ?1, ?2, ?3)
                 ON CONFLICT (singleton)
                 DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence,
                     relay_clock = excluded.relay_clock",
            )?
            .execute(params![
                self.epoch,
                self.sequence,
                step.context.clocks.relay.as_millis()
            ])?;
        Ok(())
    }
}

/// Epoch and sequence up to which everything has been dealt with.
pub(crate) fn position(step: &Step<'_>) -> Result<(Vec<u8>, u64), Error> {
    Ok(step
        .connection
        .prepare_cached("SELECT epoch, sequence FROM mailbox")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .unwrap_or_default())
}

/// After deaths while opening: one envelope only, and the one that killed alone not at all.
fn with_caution<'e>(
    attempts: &Attempts,
    epoch: &[u8],
    mut new: Vec<&'e v1::Envelope>,
) -> (Vec<&'e v1::Envelope>, Option<&'e v1::Envelope>) {
    let Some(first) = new.first().copied() else {
        return (new, None);
    };
    match attempts.caution(epoch, first.sequence) {
        Caution::None => (new, None),
        Caution::OneByOne => {
            new.truncate(1);
            (new, None)
        }
        Caution::SetAside => (Vec::new(), Some(first)),
    }
}

/// The proven sender of each envelope (`None`: the directory refutes the hint), or nothing at all
/// when entries have to be fetched first.
fn senders(
    step: &mut Step<'_>,
    envelopes: &[&v1::Envelope],
) -> Result<Option<Vec<Option<ProvenSender>>>, Error> {
    let mut senders = Vec::with_capacity(envelopes.len());
    let mut complete = true;
    for envelope in envelopes {
        let hint = UserId::new(envelope.sender_user_id.clone())
            .ok()
            .zip(DeviceId::from_slice(&envelope.sender_device).ok());
        let Some((user, device)) = hint else {
            senders.push(None);
            continue;
        };
        match step
            .memory
            .directory
            .sender(step.connection, &user, device)?
        {
            SenderLookup::Proven(sender) => senders.push(Some(sender)),
            SenderLookup::Refuted => senders.push(None),
            SenderLookup::Ask(key) => {
                step.memory.wanted_entries.insert(key);
                complete = false;
            }
        }
    }
    Ok(complete.then_some(senders))
}

/// An envelope's inside, checked as far as it can be without touching tables.
pub(crate) enum Inside {
    Content(Box<OpenedContent>),
    /// A content that was held, by this tier.
    Held(Box<OpenedContent>, u32),
    Control(v1::Control),
    /// The relay's own word.
    Notice(v1::envelope::Notice),
}

/// What one envelope was sealed with is open.
enum Unsealed {
    Olm(Opened),
    Held(HeldContentKey),
    Notice(v1::envelope::Notice),
}

/// Olm one by one, then contents and signatures on every core.
fn open_all(
    step: &mut Step<'_>,
    envelopes: &[&v1::Envelope],
    senders: &[Option<ProvenSender>],
) -> Result<Vec<Result<Inside, OpenFailure>>, Error> {
    let us = step.us();
    let mut olm = Vec::with_capacity(envelopes.len());
    let hold: i32 = v1::Suite::HpkeHold.into();
    let held = |envelope: &&v1::Envelope| envelope.key.as_ref().is_some_and(|k| k.suite == hold);
    let hold_keys = match envelopes.iter().any(held) {
        true => hold_keys::all(step)?,
        false => Vec::new(),
    };
    for (envelope, sender) in envelopes.iter().zip(senders) {
        olm.push(unseal(step, &hold_keys, envelope, sender.as_ref())?);
    }
    let mut inside: Vec<Result<Inside, OpenFailure>> = olm
        .into_par_iter()
        .zip(envelopes.par_iter())
        .map(|(opened, envelope)| match opened? {
            Unsealed::Olm(Opened::Control(control)) => Ok(Inside::Control(control)),
            Unsealed::Olm(Opened::Key(key)) => open_content(&key, envelope, us),
            Unsealed::Held(key) => {
                let sender = DeviceId::from_slice(&envelope.sender_device);
                let sender = sender.map_err(|_| OpenFailure::Malformed)?;
                let content = key.content(&envelope.content, sender, us)?;
                Ok(Inside::Held(Box::new(content), key.tier))
            }
            Unsealed::Notice(notice) => Ok(Inside::Notice(notice)),
        })
        .collect();
    verify_authors(&mut inside, senders);
    Ok(inside)
}

fn unseal(
    step: &mut Step<'_>,
    hold_keys: &[HoldKey],
    envelope: &v1::Envelope,
    sender: Option<&ProvenSender>,
) -> Result<Result<Unsealed, OpenFailure>, Error> {
    let (Some(sender), Ok(device)) = (sender, DeviceId::from_slice(&envelope.sender_device)) else {
        return Ok(Err(OpenFailure::UnknownSender));
    };
    if let Some(notice) = &envelope.notice {
        return Ok(Ok(Unsealed::Notice(notice.clone())));
    }
    let Some(key) = &envelope.key else {
        return Ok(Err(OpenFailure::Malformed));
    };
    fail::fail_point!(&format!("wardline::opening::{device}"));
    let (us, now) = (step.us(), step.now());
    if key.suite == i32::from(v1::Suite::HpkeHold) {
        let Ok(name) = EnvelopeId::from_slice(&envelope.envelope_id) else {
            return Ok(Err(OpenFailure::Malformed));
        };
        let place = HeldPlace {
            sender: device,
            recipient: us,
            envelope: name,
        };
        return Ok(HeldContentKey::open(hold_keys, key, place).map(Unsealed::Held));
    }
    let ratchets = &mut step.memory.ratchets;
    let sender = sender.as_sender(device);
    Ok(open(ratchets, step.connection, us, sender, key, now)?.map(Unsealed::Olm))
}

fn open_content(
    key: &OpenedKey,
    envelope: &v1::Envelope,
    us: DeviceId,
) -> Result<Inside, OpenFailure> {
    key.content(&envelope.content, us)
        .map(|content| Inside::Content(Box::new(content)))
}

/// Verifies the authors' signatures of a batch together; a bad one costs its own message only.
fn verify_authors(inside: &mut [Result<Inside, OpenFailure>], senders: &[Option<ProvenSender>]) {
    let mut places = Vec::new();
    let mut claims = Vec::new();
    for (place, (inside, sender)) in inside.iter().zip(senders).enumerate() {
        if let (Ok(Inside::Content(opened) | Inside::Held(opened, _)), Some(sender)) =
            (inside, sender)
        {
            places.push(place);
            claims.push(signer::Signed {
                public_key: sender.ed25519,
                purpose: SIGNATURE_PURPOSE,
                message: &opened.signed.content,
                signature: &opened.signed.signature,
            });
        }
    }
    let verdicts = signer::verify_many(&claims);
    drop(claims);
    for (place, verdict) in places.into_iter().zip(verdicts) {
        if verdict.is_err()
            && let Some(slot) = inside.get_mut(place)
        {
            *slot = Err(OpenFailure::BadSignature);
        }
    }
}

/// Applies one opened envelope; what contradicts the directory is refused, not applied.
pub(crate) fn apply(
    step: &mut Step<'_>,
    sealer: &BodySealer<'_>,
    envelope: &v1::Envelope,
    sender: &ProvenSender,
    inside: Inside,
) -> Result<(), Error> {
    if let Inside::Notice(notice) = &inside {
        return escalating::notice(step, envelope, sender, notice);
    }
    let repeated = matches!(inside, Inside::Held(..)) && known_envelope(step, envelope)?;
    note_envelope(step, envelope)?;
    match inside {
        Inside::Content(opened) => match place(step, envelope, sender, &opened)? {
            Some(place) => keep(step, sealer, &believed(sender, &opened, None), &place),
            None => refuse(step, envelope, OpenFailure::BindingBroken),
        },
        // The relay repeats itself; who was given it is told once.
        Inside::Held(..) if repeated => Ok(()),
        Inside::Held(opened, tier) => match place(step, envelope, sender, &opened)? {
            Some(place) => keep(step, sealer, &believed(sender, &opened, Some(tier)), &place),
            None => refuse(step, envelope, OpenFailure::BindingBroken),
        },
        Inside::Notice(_) => Ok(()),
        Inside::Control(control) => {
            let device =
                DeviceId::from_slice(&envelope.sender_device).map_err(|_| Error::Unknown)?;
            control::apply(step, device, sender, control)
        }
    }
}

/// A content that came from its author.
fn believed<'a>(
    author: &'a ProvenSender,
    opened: &'a OpenedContent,
    tier: Option<u32>,
) -> Believed<'a> {
    Believed {
        reference: MessageRef {
            device: opened.sender,
            id: opened.binding.message_id,
        },
        author,
        signed: &opened.signed,
        content: &opened.content,
        hash: opened.content_hash,
        tier,
        passed: None,
    }
}

/// An envelope that does not open is fetched so often again. Damage on the way strikes at random, and
/// control traffic that is believed to be broken is not sealed again.
const MOST_FETCHES: u32 = 4;
