//! What a device does by itself: offer keys, start sessions, seal receipts.

use std::{collections::HashSet, time::Duration};

use rusqlite::{Connection, params};
use wardline_org::{
    DeviceId, EntryKey, EnvelopeId, Timestamp, UserId,
    prekey::{Claim, PrekeyKind, sign_prekey, verify_prekeys},
    signer::sign_tagged,
};
use wardline_proto::{Message, v1};

use super::{Step, control::RECEIPTS_PURPOSE, event::Event, hold_keys, holding, outbox, posting};
use crate::{
    audit::Action,
    directory::{Lookup, SenderLookup, active_devices},
    error::Error,
    message::{Direction, receipts},
    session::{identity::NewPeer, ratchets, seal::Plain},
    store::StoreError,
};

/// The keys to offer next, or nothing when the relay has enough. The same keys are offered until the
/// relay has confirmed them. `drained` says that nothing waits in the mailbox: old keys may go.
pub(crate) fn keys_to_offer(
    step: &mut Step<'_>,
    at_the_relay: u32,
    drained: bool,
) -> Result<Option<v1::UploadKeysRequest>, Error> {
    if drained {
        hold_keys::forget_old(step)?;
    }
    let hold_key = hold_keys::to_offer(step)?;
    let identity = step.context.identity.clone();
    let rotate = fallback_is_due(step)?;
    let ratchets = &mut step.memory.ratchets;
    let account = ratchets.account(step.connection)?;
    let offered = usize::try_from(at_the_relay).unwrap_or(usize::MAX);
    let replenish = offered < FEWEST_KEYS && account.one_time_keys().is_empty();
    let rotate = rotate && account.fallback_key().is_empty();
    if replenish || rotate {
        let account = ratchets.account_mut(step.connection)?;
        if replenish {
            account.generate_one_time_keys(MOST_KEYS.saturating_sub(offered));
        }
        if rotate {
            account.generate_fallback_key();
        }
    }
    let account = ratchets.account(step.connection)?;
    let device = identity.device_id;
    let sign = |kind, key: vodozemac::Curve25519PublicKey| {
        sign_prekey(&identity, device, kind, key.as_bytes(), None)
    };
    let one_time_keys: Vec<v1::SignedKey> = account
        .one_time_keys()
        .into_values()
        .map(|key| sign(PrekeyKind::OneTime, key))
        .collect();
    let fallback_key = account
        .fallback_key()
        .into_values()
        .next()
        .map(|key| sign(PrekeyKind::Fallback, key));
    if one_time_keys.is_empty() && fallback_key.is_none() && hold_key.is_none() {
        return Ok(None);
    }
    let replace = step
        .connection
        .prepare_cached("SELECT replace_keys FROM device")?
        .query_row([], |row| row.get(0))?;
    Ok(Some(v1::UploadKeysRequest {
        one_time_keys,
        fallback_key,
        hold_key,
        replace,
    }))
}

/// The relay has the keys.
pub(crate) fn keys_offered(
    step: &mut Step<'_>,
    offered: &v1::UploadKeysRequest,
) -> Result<(), Error> {
    if !offered.one_time_keys.is_empty() || offered.fallback_key.is_some() {
        step.memory
            .ratchets
            .account_mut(step.connection)?
            .mark_keys_as_published();
    }
    if let Some(key) = &offered.hold_key {
        hold_keys::offered(step, key)?;
    }
    if offered.replace {
        step.connection
            .execute("UPDATE device SET replace_keys = 0", [])?;
    }
    if offered.fallback_key.is_some() {
        step.connection
            .prepare_cached("UPDATE device SET fallback_made_at = ?1")?
            .execute(params![step.now().as_millis()])?;
        // A base key can only come back while a fallback key it was made for is kept.
        let horizon =
            step.now().as_millis() - i64::try_from(3 * FALLBACK_AGE.as_millis()).unwrap_or(0);
        step.connection
            .prepare_cached("DELETE FROM base_key WHERE seen_at < ?1")?
            .execute(params![horizon])?;
    }
    Ok(())
}

fn fallback_is_due(step: &Step<'_>) -> Result<bool, Error> {
    let made: Option<i64> = step
        .connection
        .prepare_cached("SELECT fallback_made_at FROM device")?
        .query_row([], |row| row.get(0))?;
    Ok(made.is_none_or(|made| {
        step.now().saturating_since(Timestamp::from_millis(made)) > FALLBACK_AGE
    }))
}

/// The keys to claim: only of devices whose person is proven under the current head.
pub(crate) fn keys_to_claim(step: &mut Step<'_>) -> Option<v1::ClaimKeysRequest> {
    let devices: Vec<Vec<u8>> = std::mem::take(&mut step.memory.wanted_keys)
        .into_iter()
        .take(MOST_CLAIMS)
        .map(|device| device.to_vec())
        .collect();
    let room = MOST_CLAIMS.saturating_sub(devices.len());
    let held = step.memory.hold_keys.next_wanted(room).into_iter();
    let claim = v1::ClaimKeysRequest {
        device_ids: devices,
        hold_device_ids: held.map(|device| device.to_vec()).collect(),
    };
    let nothing = claim.device_ids.is_empty() && claim.hold_device_ids.is_empty();
    (!nothing).then_some(claim)
}

/// Checks claimed keys against the directory; answers the sessions to start.
pub(crate) fn check_claimed(
    step: &mut Step<'_>,
    asked: &[Vec<u8>],
    answer: &v1::ClaimKeysResponse,
) -> Result<Vec<NewPeer>, Error> {
    let credentials = step.memory.directory.credentials();
    let asked: HashSet<DeviceId> = asked
        .iter()
        .filter_map(|device| DeviceId::from_slice(device).ok())
        .collect();
    let mut listed = Vec::new();
    for claimed in &answer.keys {
        let (Ok(device), Some(key)) = (DeviceId::from_slice(&claimed.device_id), &claimed.key)
        else {
            continue;
        };
        if !asked.contains(&device) {
            continue;
        }
        if let Some(credential) = credentials.get(&device) {
            let kind = if claimed.fallback {
                PrekeyKind::Fallback
            } else {
                PrekeyKind::OneTime
            };
            listed.push((device, *credential, kind, key));
        }
    }
    let claims: Vec<Claim<'_>> = listed
        .iter()
        .map(|(device, credential, kind, key)| Claim {
            device: *device,
            signing_key: &credential.ed25519,
            kind: *kind,
            key,
        })
        .collect();
    let verdicts = verify_prekeys(&claims);
    let mut peers = Vec::new();
    for ((device, credential, _, _), verdict) in listed.iter().zip(verdicts) {
        match verdict {
            Ok(prekey) => peers.push(NewPeer {
                device_id: *device,
                curve25519: credential.curve25519,
                prekey,
            }),
            Err(error) => tracing::warn!(?device, %error, "a claimed key is not its device's"),
        }
    }
    let ready: HashSet<DeviceId> = peers.iter().map(|peer| peer.device_id).collect();
    let unlisted: HashSet<DeviceId> = asked
        .iter()
        .filter(|device| !credentials.contains_key(device))
        .copied()
        .collect();
    // A device whose entry has to be proven anew is not one without keys.
    for device in asked
        .difference(&ready)
        .filter(|device| !unlisted.contains(device))
    {
        step.memory.keyless.note(*device, step.context.now);
    }
    Ok(peers)
}

/// Takes started sessions in; those of broken sessions take their place.
pub(crate) fn sessions_started(
    step: &mut Step<'_>,
    started: Vec<(DeviceId, vodozemac::olm::Session)>,
) -> Result<(), Error> {
    if !started.is_empty() {
        // Messages that wait for a device without keys may be waiting for one of these.
        outbox::look_again(step)?;
    }
    for (device, session) in started {
        step.memory
            .ratchets
            .insert(step.connection, device, session)?;
        step.memory.keyless.forget(&device);
        if step.memory.broken_sessions.remove(&device) {
            step.memory.fresh_sessions.insert(device);
        }
    }
    Ok(())
}

/// Signs and seals the receipts that are owed, a batch for each author.
pub(crate) fn seal_receipts(step: &mut Step<'_>) -> Result<(), Error> {
    if !step.context.checkpoint_confirmed || !step.context.head_confirmed {
        return Ok(());
    }
    for author in receipts::authors(step.connection)? {
        let Some(devices) = devices_for_receipts(step, &author)? else {
            continue;
        };
        while let Some((last, receipts)) = receipts::owed(step.connection, &author)? {
            let read: Vec<v1::Receipt> = receipts
                .iter()
                .filter(|receipt| receipt.kind() == v1::ReceiptKind::Read)
                .cloned()
                .collect();
            let signed = sign(step, receipts);
            for device in &devices.authors {
                let body = v1::control::Body::Receipts(signed.clone());
                say_later(step, &author, *device, body)?;
            }
            if !read.is_empty() {
                // Our own other devices learn what was read here.
                let signed = sign(step, read);
                let us = step.context.identity.user_id.clone();
                for device in &devices.own {
                    let body = v1::control::Body::Receipts(signed.clone());
                    say_later(step, &us, *device, body)?;
                }
            }
            receipts::settle(step.connection, &author, last)?;
        }
    }
    Ok(())
}

struct ReceiptDevices {
    authors: Vec<DeviceId>,
    own: Vec<DeviceId>,
}

/// `None` while the author's or our own entry has to be fetched.
fn devices_for_receipts(
    step: &mut Step<'_>,
    author: &UserId,
) -> Result<Option<ReceiptDevices>, Error> {
    let us = step.context.identity.user_id.clone();
    let (Some(authors), Some(own)) = (devices_of(step, author.clone())?, devices_of(step, us)?)
    else {
        return Ok(None);
    };
    let this = step.us();
    let own = own.into_iter().filter(|device| *device != this).collect();
    Ok(Some(ReceiptDevices { authors, own }))
}

/// Entries whose proofs came too late for their head. Not everybody who asked for one asks twice.
pub(crate) fn ask_anew(step: &mut Step<'_>, asked: v1::EntriesRequest) -> Result<(), Error> {
    let keys = asked
        .queries
        .iter()
        .filter_map(|query| query.key.parse().ok());
    step.memory.wanted_entries.extend(keys);
    Ok(())
}

fn devices_of(step: &mut Step<'_>, user: UserId) -> Result<Option<Vec<DeviceId>>, Error> {
    let key = EntryKey::Person(user);
    Ok(match step.memory.directory.entry(step.connection, &key)? {
        Lookup::Present(entry) => Some(entry.person().map(active_devices).unwrap_or_default()),
        Lookup::Absent => Some(Vec::new()),
        Lookup::Unproven(_) => {
            step.memory.wanted_entries.insert(key);
            None
        }
    })
}

fn sign(step: &Step<'_>, receipts: Vec<v1::Receipt>) -> v1::SignedReceipts {
    let identity = &step.context.identity;
    let batch = v1::ReceiptBatch {
        version: 1,
        organization: identity.organization.to_string(),
        device_id: identity.device_id.to_vec(),
        receipts,
    }
    .encode_to_vec();
    let signature = sign_tagged(identity, RECEIPTS_PURPOSE, &batch).to_vec();
    v1::SignedReceipts { batch, signature }
}

/// Says something to this person's other devices; `false` while their entry has to be fetched.
pub(super) fn tell_own_devices(
    step: &mut Step<'_>,
    body: &v1::control::Body,
) -> Result<bool, Error> {
    let us = step.context.identity.user_id.clone();
    let Some(devices) = devices_of(step, us.clone())? else {
        return Ok(false);
    };
    let this = step.us();
    for device in devices.into_iter().filter(|device| *device != this) {
        say_later(step, &us, device, body.clone())?;
    }
    Ok(true)
}

/// Says something to a device now, or as soon as there is a session with it.
fn say_later(
    step: &mut Step<'_>,
    user: &UserId,
    device: DeviceId,
    body: v1::control::Body,
) -> Result<(), Error> {
    let encoded = control(step, body.clone())?.encode_to_vec();
    if !say(step, device, body)? {
        step.connection
            .prepare_cached(
                "INSERT INTO control (device_id, user_id, body, queued_at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                device.as_bytes(),
                user.as_str(),
                encoded,
                step.now().as_millis()
            ])?;
        step.want_session(device);
    }
    Ok(())
}

/// Says something to a device; `false` when there is no session with it.
pub(super) fn say(
    step: &mut Step<'_>,
    device: DeviceId,
    body: v1::control::Body,
) -> Result<bool, Error> {
    let control = control(step, body)?;
    seal_control(step, device, control)
}

/// Says what waited for a session, where there is one now; forgets what waited too long.
pub(crate) fn seal_controls(step: &mut Step<'_>) -> Result<(), Error> {
    let horizon = before(step.now(), CONTROL_AGE);
    step.connection
        .prepare_cached("DELETE FROM control WHERE queued_at < ?1")?
        .execute(params![horizon])?;
    step.connection
        .prepare_cached("DELETE FROM opened_envelope WHERE at < ?1")?
        .execute(params![horizon])?;
    forget_refused(step.connection, horizon)?;
    for waiting in waiting_controls(step)? {
        let sender =
            step.memory
                .directory
                .sender(step.connection, &waiting.user, waiting.device)?;
        let done = match sender {
            SenderLookup::Proven(proven) if proven.active => {
                let said = seal_control(step, waiting.device, waiting.control)?;
                if !said {
                    step.want_session(waiting.device);
                }
                said
            }
            SenderLookup::Ask(key) => {
                step.memory.wanted_entries.insert(key);
                false
            }
            // It was revoked meanwhile: nothing is sealed for it.
            SenderLookup::Proven(_) | SenderLookup::Refuted => true,
        };
        if done {
            step.connection
                .prepare_cached("DELETE FROM control WHERE id = ?1")?
                .execute(params![waiting.id])?;
        }
    }
    Ok(())
}

struct WaitingControl {
    id: i64,
    device: DeviceId,
    user: UserId,
    control: v1::Control,
}

fn waiting_controls(step: &Step<'_>) -> Result<Vec<WaitingControl>, Error> {
    let damaged = || StoreError::Damaged { what: "control" };
    let mut statement = step
        .connection
        .prepare_cached("SELECT id, device_id, user_id, body FROM control ORDER BY id LIMIT 500")?;
    let mut rows = statement.query([])?;
    let mut waiting = Vec::new();
    while let Some(row) = rows.next()? {
        let body: Vec<u8> = row.get(3)?;
        waiting.push(WaitingControl {
            id: row.get(0)?,
            device: DeviceId::from_slice(&row.get::<_, Vec<u8>>(1)?).map_err(|_| damaged())?,
            user: UserId::new(row.get::<_, String>(2)?).map_err(|_| damaged())?,
            control: v1::Control::decode(body.as_slice()).map_err(|_| damaged())?,
        });
    }
    Ok(waiting)
}

fn control(step: &mut Step<'_>, body: v1::control::Body) -> Result<v1::Control, Error> {
    let (head_version, head_hash) = step
        .memory
        .directory
        .head(step.connection)?
        .ok_or(Error::NotEnrolled)?;
    Ok(v1::Control {
        head_version,
        head_hash: head_hash.as_bytes().to_vec(),
        body: Some(body),
    })
}

fn seal_control(
    step: &mut Step<'_>,
    device: DeviceId,
    control: v1::Control,
) -> Result<bool, Error> {
    let plain = Plain::control(step.us(), control);
    let Some(key) = plain.seal(&mut step.memory.ratchets, step.connection, device)? else {
        return Ok(false);
    };
    let envelope_id = EnvelopeId::generate(step.now())?;
    posting::queue(
        step,
        envelope_id,
        None,
        v1::Submission {
            envelope_id: envelope_id.to_vec(),
            content: Default::default(),
            keys: vec![key],
            wake: v1::WakeClass::Silent.into(),
            deposit: None,
        },
    )?;
    Ok(true)
}

/// The relay's answer to our rollback counter; answers whether the store was an old copy.
pub(crate) fn checkpoint(step: &mut Step<'_>, highest: u64) -> Result<bool, Error> {
    // Once for each open: what an earlier process was told of devices without keys may be old.
    outbox::look_again(step)?;
    // Read again: another process may have moved on since the question was asked.
    if highest <= ratchets::counter(step.connection)? {
        return Ok(false);
    }
    step.memory.ratchets.retire(step.connection)?;
    hold_keys::retire(step)?;
    // What was sealed from the copy may have left before, or not: it is sealed again, and whoever has
    // it already sees by its id that it is the same.
    step.connection.execute(
        "UPDATE recipient SET reseal_wanted_at = ?1 WHERE (message, device_id) IN
             (SELECT s.message, d.device_id FROM submission s JOIN envelope_device d USING (envelope_id)
              WHERE s.message IS NOT NULL)",
        params![step.now().as_millis()],
    )?;
    holding::lost(step)?;
    step.connection.execute("DELETE FROM submission", [])?;
    // So is what these said beside messages; hearing it twice does no harm.
    let window = step
        .memory
        .directory
        .policy(step.connection)?
        .reseal_window();
    say_again(step.connection, before(step.now(), window))?;
    step.connection.execute(
        "UPDATE device SET ratchet_counter = ?1, fallback_made_at = NULL, replace_keys = 1",
        params![i64::try_from(highest).unwrap_or(i64::MAX).saturating_add(1)],
    )?;
    step.audit(Action::StoreRolledBack, &highest.to_be_bytes())?;
    step.emit(&Event::StoreRolledBack)?;
    Ok(true)
}

/// Asks again for what did not open, and owes receipts again for what came, since a time.
fn say_again(connection: &Connection, since: i64) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE refused_envelope SET reseal_requested_at = NULL WHERE curable = 1 AND at >= ?1",
        params![since],
    )?;
    let incoming = Direction::Incoming as i64;
    for (kind, at) in [
        (v1::ReceiptKind::Delivered, "arrived_at"),
        (v1::ReceiptKind::Read, "read_at"),
    ] {
        let sql = format!(
            "INSERT INTO receipt (author_user, message_id, content_hash, kind, at)
             SELECT sender_user, message_id, content_hash, ?1, {at} FROM message
             WHERE direction = ?2 AND {at} >= ?3 AND content_hash IS NOT NULL ORDER BY sequence"
        );
        connection.execute(&sql, params![i32::from(kind), incoming, since])?;
    }
    let (unread, read) = (v1::ReceiptKind::PurgedUnread, v1::ReceiptKind::PurgedRead);
    connection.execute(
        "INSERT INTO receipt (author_user, message_id, content_hash, kind, at)
         SELECT sender_user, message_id, content_hash, iif(read_at IS NULL, ?1, ?2), recalled_at
         FROM message WHERE direction = ?3 AND shown = 1 AND recalled_at >= ?4
           AND (expired_at IS NULL OR recall IS NOT NULL)
           AND content_hash IS NOT NULL AND sequence NOT IN (SELECT message FROM purge)
         ORDER BY sequence",
        params![i32::from(unread), i32::from(read), incoming, since],
    )?;
    Ok(())
}

/// Forgets refused envelopes about which nothing is left to be done.
fn forget_refused(connection: &Connection, before: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM refused_envelope
             WHERE at < ?1 AND (curable = 0 OR reseal_requested_at < ?1)",
        )?
        .execute(params![before])?;
    Ok(())
}

fn before(now: Timestamp, age: Duration) -> i64 {
    now.as_millis()
        .saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
}

/// Below this many unclaimed keys at the relay, more are made.
const FEWEST_KEYS: usize = 25;
const MOST_KEYS: usize = 50;
/// Keys of so many devices are claimed in one call.
const MOST_CLAIMS: usize = 1000;
const FALLBACK_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
/// A receipt nobody could be told in this time is worth nothing any more.
const CONTROL_AGE: Duration = Duration::from_secs(30 * 24 * 3600);

#[cfg(test)]
mod tests;
