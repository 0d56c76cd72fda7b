//! The bare work of sending: sign, encrypt once, encrypt the key for every device, commit.

use std::path::Path;

use chacha20poly1305::{ChaCha20Poly1305, KeyInit, aead::AeadInOut};
use ed25519_dalek::{Signer as _, SigningKey};
use rusqlite::params;
use sha2::{Digest as _, Sha256};
use vodozemac::olm::{Account, Session};

use super::{
    CONTENT_FRAME, Held, SEALED, live_session,
    store::{Store, random},
};

/// A device with live sessions to other devices.
pub struct Sender {
    store: Store,
    signing: SigningKey,
    peers: Vec<Peer>,
    text: String,
    /// Posted with the next message.
    held: Vec<u8>,
}

struct Peer {
    device: [u8; 16],
    session: Session,
}

impl Sender {
    /// A device in `folder` that has exchanged messages with `devices` others.
    pub fn with_live_sessions(folder: &Path, devices: usize, text: &str) -> Self {
        let ours = Account::new();
        let peers = (0..devices).map(|_| Peer {
            device: random(),
            session: live_session(&ours).0,
        });
        Self {
            store: Store::create(folder),
            signing: SigningKey::from_bytes(&random()),
            peers: peers.collect(),
            text: text.to_owned(),
            held: Vec::new(),
        }
    }

    /// Seals one message for every device, and for others whom it is held for, and commits it.
    pub fn hold_and_commit(&mut self, held: &Held) {
        let length = CONTENT_FRAME + self.text.len();
        self.held = held.seal(length);
        self.seal_and_commit(1);
    }

    /// Seals `messages` for every device and commits them together.
    pub fn seal_and_commit(&mut self, messages: usize) {
        self.store
            .connection
            .execute_batch("BEGIN IMMEDIATE")
            .unwrap();
        for _ in 0..messages {
            self.seal();
        }
        let mut write = self
            .store
            .connection
            .prepare_cached(
                "INSERT INTO session (device_id, session_id, state, used) VALUES (?1, ?2, ?3, 1)
                 ON CONFLICT (device_id, session_id) DO UPDATE SET state = excluded.state",
            )
            .unwrap();
        for peer in &self.peers {
            let state = rmp_serde::to_vec(&peer.session.pickle()).unwrap();
            write
                .execute(params![
                    peer.device,
                    peer.session.session_id().as_bytes(),
                    state
                ])
                .unwrap();
        }
        drop(write);
        self.store
            .connection
            .execute_batch("UPDATE device SET ratchet_counter = ratchet_counter + 1; COMMIT")
            .unwrap();
    }

    fn seal(&mut self) {
        let (message, envelope) = (self.store.next_id(), self.store.next_id());
        // What is signed: ids, the list of devices, the text.
        let mut content = vec![7; CONTENT_FRAME + 18 * self.peers.len()];
        content.extend_from_slice(self.text.as_bytes());
        let signature = self.signing.sign(&content);
        content.extend_from_slice(&signature.to_bytes());
        let body = self.store.seal_body(&message, &content);

        let key = random::<32>();
        content.resize(content.len().max(512).next_multiple_of(64), 0);
        let cipher = ChaCha20Poly1305::new(&key.into());
        cipher
            .encrypt_in_place(&[0; 12].into(), b"content", &mut content)
            .unwrap();
        let hash: [u8; 32] = Sha256::digest(&content).into();
        let content_key = self.store.seal_body(&message, &key);

        let mut submission = content;
        submission.append(&mut self.held);
        let mut plaintext = [0; SEALED];
        plaintext[..32].copy_from_slice(&key);
        for peer in &mut self.peers {
            let (_, ciphertext) = peer.session.encrypt(plaintext).unwrap().to_parts();
            submission.extend_from_slice(&peer.device);
            submission.extend_from_slice(&ciphertext);
        }
        self.write(&message, &envelope, &body, &content_key, &hash, &submission);
    }

    fn write(
        &self,
        message: &[u8],
        envelope: &[u8],
        body: &[u8],
        content_key: &[u8],
        hash: &[u8],
        submission: &[u8],
    ) {
        let connection = &self.store.connection;
        let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
            connection
                .prepare_cached(sql)
                .unwrap()
                .execute(values)
                .unwrap();
        };
        run(
            "INSERT INTO message (message_id, sender_device, sender_user, conversation, direction,
                 proof, priority, created_at, arrived_at, content_hash, body, content_key)
             VALUES (?1, zeroblob(16), 'US', 1, 1, 1, 3, 1795000000000, 1795000000000, ?2, ?3, ?4)",
            params![message, hash, body, content_key],
        );
        let sequence = connection.last_insert_rowid();
        run(
            "UPDATE conversation SET last_sequence = ?1 WHERE id = 1",
            params![sequence],
        );
        for action in [2, 3] {
            run(
                "INSERT INTO audit (at, action, subject, hash) VALUES (1795000000000, ?1, ?2, ?3)",
                params![action, message, hash],
            );
        }
        run(
            "INSERT INTO sent_envelope (envelope_id, message) VALUES (?1, ?2)",
            params![envelope, sequence],
        );
        run(
            "INSERT INTO submission (envelope_id, message, body) VALUES (?1, ?2, ?3)",
            params![envelope, sequence, submission],
        );
        for peer in &self.peers {
            run(
                "INSERT INTO recipient (message, device_id, user_id, state) VALUES (?1, ?2, 'DR-1001', 1)",
                params![sequence, peer.device],
            );
            run(
                "INSERT INTO envelope_device (envelope_id, device_id) VALUES (?1, ?2)",
                params![envelope, peer.device],
            );
        }
    }
}
