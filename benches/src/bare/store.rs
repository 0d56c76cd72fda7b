//! An SQLCipher file with the tables, the indexes and the pragmas of a device's store.

use std::{cell::Cell, path::Path};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{AeadInOut, array::Array},
};
use rusqlite::Connection;

/// A store without anything around it.
pub struct Store {
    pub(super) connection: Connection,
    body_key: XChaCha20Poly1305,
    ids: Cell<u64>,
}

impl Store {
    /// An empty store in a folder.
    pub fn create(folder: &Path) -> Self {
        let connection = open(&folder.join("bare.db"));
        connection
            .execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")
            .unwrap();
        connection
            .execute_batch(include_str!("../../../core/src/store/version_1.sql"))
            .unwrap();
        connection
            .execute_batch(
                "INSERT INTO device (singleton, organization, user_id, device_id, identity, account, listing)
                 VALUES (1, 'mercy', 'US', zeroblob(16), zeroblob(64), zeroblob(4096), x'');
                 INSERT INTO conversation (id, conversation_id, reference)
                 VALUES (1, zeroblob(16), zeroblob(40));
                 INSERT INTO mailbox (singleton, epoch, sequence) VALUES (1, zeroblob(16), 0)",
            )
            .unwrap();
        Self {
            connection,
            body_key: XChaCha20Poly1305::new(&random::<32>().into()),
            ids: Cell::new(0),
        }
    }

    /// An id that sorts by the time of writing, as those of messages and envelopes do: their indexes
    /// grow at the end.
    pub(super) fn next_id(&self) -> [u8; 16] {
        let mut id = random::<16>();
        self.ids.set(self.ids.get() + 1);
        id[..8].copy_from_slice(&self.ids.get().to_be_bytes());
        id
    }

    /// A body as it stands in its row: a nonce, the ciphertext and its tag.
    pub(super) fn seal_body(&self, row: &[u8], body: &[u8]) -> Vec<u8> {
        let nonce = random::<24>();
        let mut sealed = Vec::with_capacity(body.len() + 41);
        sealed.push(1);
        sealed.extend_from_slice(&nonce);
        let mut ciphertext = body.to_vec();
        let nonce: &Array<u8, _> = &nonce.into();
        self.body_key
            .encrypt_in_place(nonce, row, &mut ciphertext)
            .unwrap();
        sealed.append(&mut ciphertext);
        sealed
    }
}

/// A file of SQLCipher with the key, the header and the journal of Wardline's files.
pub(super) fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    let key = format!(
        "x'{}{}'",
        hex::encode(random::<32>()),
        hex::encode(random::<16>())
    );
    connection.pragma_update(None, "key", key).unwrap();
    connection
        .pragma_update(None, "cipher_plaintext_header_size", 32)
        .unwrap();
    connection
        .execute_batch(
            "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA journal_mode = WAL;
             PRAGMA secure_delete = ON",
        )
        .unwrap();
    connection.set_prepared_statement_cache_capacity(64);
    connection
}

/// A file of SQLCipher with the table and the pragmas of Wardline's search index.
pub(super) fn open_search(path: &Path) -> Connection {
    let connection = open(path);
    connection
        .execute_batch(
            "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8000;
             CREATE TABLE progress (watermark INTEGER NOT NULL) STRICT;
             INSERT INTO progress VALUES (0);
             CREATE VIRTUAL TABLE document USING fts5(
                 text, title, patient, sender, conversation,
                 tokenize = \"unicode61 remove_diacritics 2\"
             );
             INSERT INTO document (document, rank) VALUES ('secure-delete', 1)",
        )
        .unwrap();
    connection
}

/// Random bytes from the system.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}
