-- The relay's database, version 1. Ids are BLOBs, always scoped by an organization; times are
-- milliseconds since the Unix epoch.

CREATE TABLE organizations (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- The directory -------------------------------------------------------------------------------------

CREATE TABLE roots (
  org      INTEGER NOT NULL REFERENCES organizations (id),
  version  INTEGER NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (org, version)
) STRICT, WITHOUT ROWID;

-- Every head ever published: the log that consistency proofs are made of.
CREATE TABLE heads (
  org     INTEGER NOT NULL REFERENCES organizations (id),
  version INTEGER NOT NULL,
  note    TEXT NOT NULL,
  PRIMARY KEY (org, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE policies (
  org  INTEGER PRIMARY KEY REFERENCES organizations (id),
  note TEXT NOT NULL
) STRICT;

CREATE TABLE entries (
  org   INTEGER NOT NULL REFERENCES organizations (id),
  key   TEXT NOT NULL,
  bytes BLOB NOT NULL,
  UNIQUE (org, key)
) STRICT;

-- AUTOINCREMENT: the authority polls by sequence, so none may come back after a deletion.
CREATE TABLE enrollments (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  org      INTEGER NOT NULL REFERENCES organizations (id),
  device   BLOB NOT NULL CHECK (length(device) = 16),
  request  BLOB NOT NULL,
  at       INTEGER NOT NULL,
  UNIQUE (org, device)
) STRICT;

CREATE TABLE used_tickets (
  org     INTEGER NOT NULL REFERENCES organizations (id),
  ticket  BLOB NOT NULL CHECK (length(ticket) = 32),
  request BLOB NOT NULL CHECK (length(request) = 32),
  expires INTEGER NOT NULL,
  PRIMARY KEY (org, ticket)
) STRICT, WITHOUT ROWID;

-- Devices and their keys ----------------------------------------------------------------------------

-- One row per device that ever called or was sent to: its mailbox and its rollback counter. Small and
-- fixed in size, because every envelope updates one.
CREATE TABLE devices (
  id            INTEGER PRIMARY KEY,
  org           INTEGER NOT NULL REFERENCES organizations (id),
  device        BLOB NOT NULL CHECK (length(device) = 16),
  epoch         BLOB NOT NULL CHECK (length(epoch) = 16),
  last_sequence INTEGER NOT NULL DEFAULT 0,
  handed_out    INTEGER NOT NULL DEFAULT 0,
  waiting       INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),
  waiting_bytes INTEGER NOT NULL DEFAULT 0 CHECK (waiting_bytes >= 0),
  checkpoint    INTEGER NOT NULL DEFAULT 0,
  UNIQUE (org, device)
) STRICT;

-- One-time keys that wait, oldest first.
CREATE TABLE one_time_keys (
  id        INTEGER PRIMARY KEY,
  device    INTEGER NOT NULL REFERENCES devices (id),
  key       BLOB NOT NULL CHECK (length(key) = 32),
  signature BLOB NOT NULL CHECK (length(signature) = 64),
  UNIQUE (device, key)
) STRICT;

-- One-time keys that were handed out: uploading one again must not hand it out again.
CREATE TABLE claimed_keys (
  device INTEGER NOT NULL REFERENCES devices (id),
  key    BLOB NOT NULL CHECK (length(key) = 32),
  PRIMARY KEY (device, key)
) STRICT, WITHOUT ROWID;

-- Kind 2 is the fallback key, kind 3 the hold key, as in their signatures.
CREATE TABLE standing_keys (
  device     INTEGER NOT NULL REFERENCES devices (id),
  kind       INTEGER NOT NULL CHECK (kind IN (2, 3)),
  key        BLOB NOT NULL CHECK (length(key) = 32),
  signature  BLOB NOT NULL CHECK (length(signature) = 64),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (device, kind)
) STRICT, WITHOUT ROWID;

-- How many one-time keys of a device one claimer was given in a window of time.
CREATE TABLE claims (
  device  INTEGER NOT NULL REFERENCES devices (id),
  claimer BLOB NOT NULL CHECK (length(claimer) = 16),
  window  INTEGER NOT NULL,
  count   INTEGER NOT NULL,
  PRIMARY KEY (device, claimer)
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_by_window ON claims (window);

-- Mailboxes -----------------------------------------------------------------------------------------

-- What was sent, by its sender's name for it. The row outlives its envelopes, so that sending again
-- after everybody acknowledged delivers nothing twice.
CREATE TABLE submissions (
  id          INTEGER PRIMARY KEY,
  org         INTEGER NOT NULL REFERENCES organizations (id),
  sender      BLOB NOT NULL CHECK (length(sender) = 16),
  envelope    BLOB NOT NULL CHECK (length(envelope) = 16),
  digest      BLOB NOT NULL CHECK (length(digest) = 32),
  -- 17 bytes each: device, reason.
  refused     BLOB NOT NULL,
  -- 16 bytes each: devices it was withdrawn from.
  withdrawn   BLOB NOT NULL DEFAULT x'',
  accepted_at INTEGER NOT NULL,
  UNIQUE (org, sender, envelope)
) STRICT;
CREATE INDEX submissions_by_age ON submissions (accepted_at);

-- The shared content, kept until its last envelope goes.
CREATE TABLE contents (
  submission INTEGER PRIMARY KEY REFERENCES submissions (id),
  bytes      BLOB NOT NULL
) STRICT;

-- Rows in order of arrival: the sealed keys of one message for many mailboxes lie side by side.
CREATE TABLE envelopes (
  id         INTEGER PRIMARY KEY,
  device     INTEGER NOT NULL REFERENCES devices (id),
  sequence   INTEGER NOT NULL,
  submission INTEGER NOT NULL REFERENCES submissions (id),
  -- What it counts for in its mailbox: sealed key and content.
  size       INTEGER NOT NULL,
  suite      INTEGER NOT NULL,
  olm_type   INTEGER NOT NULL,
  ciphertext BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX envelopes_by_mailbox ON envelopes (device, sequence);
CREATE INDEX envelopes_by_submission ON envelopes (submission);

-- Calls ---------------------------------------------------------------------------------------------

-- Calls that were carried out and are young enough to be tried again by somebody who overheard them.
-- Ordered by their end, so that writing and forgetting touch neighbouring pages.
CREATE TABLE calls (
  until  INTEGER NOT NULL,
  org    INTEGER NOT NULL REFERENCES organizations (id),
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  PRIMARY KEY (until, org, digest)
) STRICT, WITHOUT ROWID;
