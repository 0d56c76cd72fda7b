//! The bare work of a relay: an axum handler that decodes a call, commits its rows and answers.
//!
//! It believes everybody: no signature, no directory, no quota, no look whether a call came before. Its
//! rows, its pragmas and its group commit are the relay's; the mark of a call is among the rows.

use std::{net::SocketAddr, path::Path, sync::Arc};

use axum::{Router, body::Bytes, extract::State, routing::post};
use rusqlite::{Connection, params};
use wardline_proto::{Message as _, v1};
use wardline_sqlite::{Error, NoCompanion, Readers, Writer};

use super::store::random;

/// A server that does nothing else.
pub struct Relay {
    address: SocketAddr,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Clone)]
struct Files {
    writer: Writer<NoCompanion>,
    readers: Readers,
}

impl Relay {
    /// Listens on a free port, with an empty database in `folder`.
    pub async fn start(folder: &Path) -> Self {
        let path: Arc<Path> = Arc::from(folder.join("bare-relay.db"));
        open(&path)
            .unwrap()
            .execute_batch(include_str!(
                "../../../relay/src/storage/sqlite/schema_1.sql"
            ))
            .unwrap();
        let to_write = Arc::clone(&path);
        let writer = Writer::spawn("bare", None, NoCompanion, move || open(&to_write)).unwrap();
        writer
            .write(|work| -> Result<(), Error> {
                work.connection
                    .execute_batch("INSERT INTO organizations (id, name) VALUES (1, 'mercy')")?;
                Ok(())
            })
            .await
            .unwrap();
        let readers = Readers::new(move || open(&path));
        let router = Router::new()
            .route("/wardline.v1.Relay/Send", post(send))
            .route("/wardline.v1.Relay/Receive", post(receive))
            .with_state(Files { writer, readers });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        Self { address, serving }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn send(State(files): State<Files>, body: Bytes) -> Vec<u8> {
    let call = v1::SendRequest::decode(body).unwrap();
    let outcomes = call.submissions.iter().map(|s| v1::SubmissionOutcome {
        envelope_id: s.envelope_id.clone(),
        accepted_at_ms: NOW,
        ..Default::default()
    });
    let answer = v1::SendResponse {
        outcomes: outcomes.collect(),
        head_version: 1,
    };
    files
        .writer
        .write(move |work| store(work.connection, &call))
        .await
        .unwrap();
    answer.encode_to_vec()
}

fn store(db: &Connection, call: &v1::SendRequest) -> Result<(), Error> {
    for submission in &call.submissions {
        db.prepare_cached(
            "INSERT INTO submissions (org, sender, envelope, digest, refused, accepted_at)
             VALUES (1, zeroblob(16), ?1, zeroblob(32), x'', ?2)",
        )?
        .execute(params![submission.envelope_id, NOW])?;
        let id = db.last_insert_rowid();
        db.prepare_cached("INSERT INTO contents (submission, bytes) VALUES (?1, ?2)")?
            .execute(params![id, submission.content.as_ref()])?;
        for key in &submission.keys {
            let size = key.ciphertext.len() + submission.content.len();
            let (device, sequence): (i64, i64) = db
                .prepare_cached(
                    "INSERT INTO devices (org, device, epoch, last_sequence, waiting, waiting_bytes)
                     VALUES (1, ?1, zeroblob(16), 1, 1, ?2)
                     ON CONFLICT (org, device) DO UPDATE SET last_sequence = last_sequence + 1,
                         waiting = waiting + 1, waiting_bytes = waiting_bytes + ?2
                     RETURNING id, last_sequence",
                )?
                .query_row(params![key.device_id, size], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            db.prepare_cached(
                "INSERT INTO envelopes (device, sequence, submission, size, suite, olm_type, ciphertext)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                device,
                sequence,
                id,
                size,
                key.suite,
                key.olm_type,
                key.ciphertext.as_ref()
            ])?;
        }
    }
    mark(db)
}

async fn receive(State(files): State<Files>, body: Bytes) -> Vec<u8> {
    let call = v1::ReceiveRequest::decode(body).unwrap();
    let readers = files.readers.clone();
    let page = tokio::task::spawn_blocking(move || readers.read(|db| page(db, &call)));
    let (page, marked) = tokio::join!(page, files.writer.write(|work| mark(work.connection)));
    marked.unwrap();
    page.unwrap().unwrap().encode_to_vec()
}

/// What waits for the device that the epoch names, since nobody signed.
fn page(db: &Connection, call: &v1::ReceiveRequest) -> Result<v1::ReceiveResponse, Error> {
    let mut statement = db.prepare_cached(
        "SELECT e.sequence, s.envelope, s.sender, s.accepted_at, e.suite, e.olm_type, e.ciphertext, c.bytes
         FROM envelopes e JOIN submissions s ON s.id = e.submission
         LEFT JOIN contents c ON c.submission = e.submission
         WHERE e.device = (SELECT id FROM devices WHERE org = 1 AND device = ?1) AND e.sequence > ?2
         ORDER BY e.sequence LIMIT ?3",
    )?;
    let mut rows = statement.query(params![call.epoch, call.after, call.max])?;
    let mut envelopes = Vec::new();
    while let Some(row) = rows.next()? {
        envelopes.push(v1::Envelope {
            sequence: row.get(0)?,
            envelope_id: row.get(1)?,
            sender_device: row.get(2)?,
            accepted_at_ms: row.get(3)?,
            key: Some(v1::SealedKey {
                device_id: call.epoch.clone(),
                suite: row.get(4)?,
                olm_type: row.get(5)?,
                ciphertext: row.get::<_, Vec<u8>>(6)?.into(),
                ..Default::default()
            }),
            content: row.get::<_, Vec<u8>>(7)?.into(),
            sender_user_id: "LAB-1".into(),
            notice: None,
        });
    }
    Ok(v1::ReceiveResponse {
        last_sequence: envelopes.last().map_or(0, |last| last.sequence),
        envelopes,
        epoch: vec![0; 16],
        head_version: 1,
        ..Default::default()
    })
}

fn mark(db: &Connection) -> Result<(), Error> {
    db.prepare_cached("INSERT INTO calls (until, org, digest) VALUES (?1, 1, ?2)")?
        .execute(params![NOW, random::<32>()])?;
    Ok(())
}

fn open(path: &Path) -> Result<Connection, Error> {
    let connection = Connection::open(path)?;
    connection.set_prepared_statement_cache_capacity(128);
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = FAST; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536;
         PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864",
    )?;
    Ok(connection)
}

const NOW: i64 = 1_795_000_000_000;
