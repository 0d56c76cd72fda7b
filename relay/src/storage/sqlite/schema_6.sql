-- The relay's database, version 6: whether people can be reached.

-- The newest that each person said, as one of their devices signed it. Kept until nothing older can hold any more:
-- that somebody is back is worth as much as that they are away.
CREATE TABLE availabilities (
  org       INTEGER NOT NULL REFERENCES organizations (id),
  user      TEXT NOT NULL,
  device    BLOB NOT NULL CHECK (length(device) = 16),
  ends_at   INTEGER NOT NULL,
  statement BLOB NOT NULL,
  PRIMARY KEY (org, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX availabilities_by_device ON availabilities (org, device);
CREATE INDEX availabilities_by_end ON availabilities (ends_at);

-- When it last called, to the minute; 0: never since this column is here.
ALTER TABLE devices ADD COLUMN last_seen INTEGER NOT NULL DEFAULT 0;
