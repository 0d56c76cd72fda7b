//! The bare work of receiving: decrypt Olm, decrypt the content, verify its author, commit, index.

use std::path::Path;

use chacha20poly1305::{ChaCha20Poly1305, KeyInit, aead::AeadInOut};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use rayon::prelude::*;
use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};
use vodozemac::olm::{Account, OlmMessage, Session};

use super::{
    CONTENT_FRAME, SEALED, live_session,
    store::{self, Store, random},
};

/// A device with a live session to one sender.
pub struct Receiver {
    store: Store,
    search: Connection,
    session: Session,
    sender: Session,
    signing: SigningKey,
    text: String,
}

/// A message on its way.
pub struct Incoming {
    olm: (usize, Vec<u8>),
    content: Vec<u8>,
}

impl Receiver {
    /// A device in `folder` that has exchanged messages with one other.
    pub fn with_live_session(folder: &Path, text: &str) -> Self {
        let (sender, session) = live_session(&Account::new());
        Self {
            store: Store::create(folder),
            search: store::open_search(&folder.join("bare-search.db")),
            session,
            sender,
            signing: SigningKey::from_bytes(&random()),
            text: text.to_owned(),
        }
    }

    /// Messages of the sender's that wait.
    pub fn backlog(&mut self, messages: usize) -> Vec<Incoming> {
        (0..messages)
            .map(|_| {
                let mut content = vec![7; CONTENT_FRAME + 18];
                content.extend_from_slice(self.text.as_bytes());
                let signature = self.signing.sign(&content);
                content.extend_from_slice(&signature.to_bytes());
                content.resize(content.len().max(512).next_multiple_of(64), 0);
                let key = random::<32>();
                ChaCha20Poly1305::new(&key.into())
                    .encrypt_in_place(&[0; 12].into(), b"content", &mut content)
                    .unwrap();
                let mut plaintext = [0; SEALED];
                plaintext[..32].copy_from_slice(&key);
                plaintext[32..64].copy_from_slice(&Sha256::digest(&content));
                let olm = self.sender.encrypt(plaintext).unwrap().to_parts();
                Incoming { olm, content }
            })
            .collect()
    }

    /// Opens a batch, commits it and makes it searchable.
    pub fn take(&mut self, batch: &[Incoming]) {
        let connection = &self.store.connection;
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        let keys: Vec<Vec<u8>> = batch
            .iter()
            .map(|incoming| {
                let message = OlmMessage::from_parts(incoming.olm.0, &incoming.olm.1).unwrap();
                self.session.decrypt(&message).unwrap()
            })
            .collect();
        let length = CONTENT_FRAME + 18 + self.text.len();
        let contents: Vec<Vec<u8>> = keys
            .par_iter()
            .zip(batch)
            .map(|(key, incoming)| {
                assert_eq!(Sha256::digest(&incoming.content)[..], key[32..64]);
                let key: [u8; 32] = key[..32].try_into().unwrap();
                let mut content = incoming.content.clone();
                ChaCha20Poly1305::new(&key.into())
                    .decrypt_in_place(&[0; 12].into(), b"content", &mut content)
                    .unwrap();
                content.truncate(length + 64);
                content
            })
            .collect();
        let messages: Vec<&[u8]> = contents.iter().map(|c| &c[..length]).collect();
        let signatures: Vec<Signature> = contents
            .iter()
            .map(|c| Signature::from_slice(&c[length..]).unwrap())
            .collect();
        let authors: Vec<VerifyingKey> = vec![self.signing.verifying_key(); contents.len()];
        ed25519_dalek::verify_batch(&messages, &signatures, &authors).unwrap();
        let sequences: Vec<i64> = contents.iter().map(|content| self.keep(content)).collect();
        self.settle();
        self.index(&sequences);
    }

    /// The rows of one message.
    fn keep(&self, content: &[u8]) -> i64 {
        let connection = &self.store.connection;
        let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
            connection
                .prepare_cached(sql)
                .unwrap()
                .execute(values)
                .unwrap();
        };
        let (message, hash) = (self.store.next_id(), random::<32>());
        let body = self.store.seal_body(&message, content);
        run(
            "INSERT INTO opened_envelope (sender_device, envelope_id, at)
             VALUES (zeroblob(16), ?1, 1795000000000)",
            params![self.store.next_id()],
        );
        run(
            "INSERT INTO message (message_id, sender_device, sender_user, conversation, direction,
                 proof, priority, created_at, arrived_at, content_hash, body)
             VALUES (?1, zeroblob(16), 'LAB-1', 1, 2, 1, 1, 1795000000000, 1795000000000, ?2, ?3)",
            params![message, hash, body],
        );
        let sequence = connection.last_insert_rowid();
        run(
            "UPDATE conversation SET last_sequence = ?1, unread = unread + 1 WHERE id = 1",
            params![sequence],
        );
        run(
            "INSERT INTO receipt (author_user, message_id, content_hash, kind, at)
             VALUES ('LAB-1', ?1, ?2, 1, 1795000000000)",
            params![message, hash],
        );
        run(
            "INSERT INTO audit (at, action, subject, hash) VALUES (1795000000000, 4, ?1, ?2)",
            params![message, hash],
        );
        run(
            "INSERT INTO event (at, payload) VALUES (1795000000000, zeroblob(80))",
            params![],
        );
        sequence
    }

    /// The session, the cursor and the counter, and the commit.
    fn settle(&self) {
        let connection = &self.store.connection;
        let state = rmp_serde::to_vec(&self.session.pickle()).unwrap();
        connection
            .prepare_cached(
                "INSERT INTO session (device_id, session_id, state, used) VALUES (zeroblob(16), X'01', ?1, 1)
                 ON CONFLICT (device_id, session_id) DO UPDATE SET state = excluded.state",
            )
            .unwrap()
            .execute(params![state])
            .unwrap();
        connection
            .execute_batch(
                "UPDATE mailbox SET sequence = sequence + 250;
                 UPDATE device SET ratchet_counter = ratchet_counter + 1; COMMIT",
            )
            .unwrap();
    }

    fn index(&mut self, sequences: &[i64]) {
        let transaction = self.search.transaction().unwrap();
        {
            let mut insert = transaction
                .prepare_cached(
                    "INSERT INTO document (rowid, text, title, patient, sender, conversation)
                     VALUES (?1, ?2, '', 'Tomasz Brandt MRN-00471142', 'LAB-1',
                             '00112233445566778899aabbccddeeff')",
                )
                .unwrap();
            for sequence in sequences {
                insert.execute(params![sequence, self.text]).unwrap();
            }
        }
        transaction
            .execute("UPDATE progress SET watermark = ?1", [sequences.last()])
            .unwrap();
        transaction.commit().unwrap();
    }
}
