-- The relay's database, version 5: what is held, to be given to others unless somebody answers first.

CREATE TABLE deposits (
  id          INTEGER PRIMARY KEY,
  org         INTEGER NOT NULL REFERENCES organizations (id),
  sender      BLOB NOT NULL CHECK (length(sender) = 16),
  deposit     BLOB NOT NULL CHECK (length(deposit) = 16),
  stop_hash   BLOB NOT NULL CHECK (length(stop_hash) = 32),
  -- 16 bytes each: the devices of the message that it came with.
  recipients  BLOB NOT NULL,
  accepted_at INTEGER NOT NULL,
  -- How many tiers have been released.
  released    INTEGER NOT NULL DEFAULT 0,
  -- When the next one is due; NULL once it has ended: there is none, or it was stopped.
  due_at      INTEGER,
  ended_at    INTEGER,
  -- Who stopped it, with which envelope.
  stopped_by  BLOB,
  answer      BLOB,
  UNIQUE (org, sender, deposit),
  CHECK ((due_at IS NULL) = (ended_at IS NOT NULL))
) STRICT;
CREATE INDEX deposits_by_due ON deposits (org, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deposits_by_sender ON deposits (org, sender) WHERE due_at IS NOT NULL;
CREATE INDEX deposits_by_end ON deposits (ended_at) WHERE ended_at IS NOT NULL;

-- Every tier has its submission from the beginning, so that its name is taken. Its time of acceptance is the end
-- of all times until it is released.
ALTER TABLE submissions ADD COLUMN deposit INTEGER REFERENCES deposits (id);
CREATE INDEX submissions_by_deposit ON submissions (deposit) WHERE deposit IS NOT NULL;

CREATE TABLE held_tiers (
  deposit    INTEGER NOT NULL REFERENCES deposits (id),
  tier       INTEGER NOT NULL,
  submission INTEGER NOT NULL UNIQUE REFERENCES submissions (id),
  wait       INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  -- One name to a line.
  users      TEXT NOT NULL,
  roles      TEXT NOT NULL,
  wake       INTEGER NOT NULL,
  -- Who advanced it, with which envelope.
  advanced_by BLOB,
  answer     BLOB,
  PRIMARY KEY (deposit, tier)
) STRICT, WITHOUT ROWID;

CREATE TABLE held_keys (
  deposit    INTEGER NOT NULL,
  tier       INTEGER NOT NULL,
  device     BLOB NOT NULL CHECK (length(device) = 16),
  -- Empty once the tier was released or the deposit stopped.
  ciphertext BLOB NOT NULL,
  PRIMARY KEY (deposit, tier, device),
  FOREIGN KEY (deposit, tier) REFERENCES held_tiers (deposit, tier)
) STRICT, WITHOUT ROWID;

-- The content of all tiers, once.
CREATE TABLE held_contents (
  deposit INTEGER PRIMARY KEY REFERENCES deposits (id),
  bytes   BLOB NOT NULL
) STRICT;

-- The relay's own word: an encoded Envelope that has a notice and nothing else.
ALTER TABLE envelopes ADD COLUMN notice BLOB;
