-- The relay's database, version 3: orders to devices to erase themselves, and the devices' receipts. They are
-- evidence, and never deleted.

-- AUTOINCREMENT: the authority reads on by sequence.
CREATE TABLE wipes (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  org      INTEGER NOT NULL REFERENCES organizations (id),
  device   BLOB NOT NULL CHECK (length(device) = 16),
  -- The hash of the order's text, and the order itself.
  hash     BLOB NOT NULL CHECK (length(hash) = 32),
  note     TEXT NOT NULL,
  -- The encoded ConfirmWipeRequest.
  receipt  BLOB,
  UNIQUE (org, hash)
) STRICT;
