-- The relay's database, version 2: how much of a mailbox each sender has filled. Kept by triggers, so that
-- no way of putting an envelope in or taking one out can forget it.

CREATE TABLE shares (
  device        INTEGER NOT NULL REFERENCES devices (id),
  sender        BLOB NOT NULL CHECK (length(sender) = 16),
  waiting       INTEGER NOT NULL,
  waiting_bytes INTEGER NOT NULL,
  PRIMARY KEY (device, sender)
) STRICT, WITHOUT ROWID;

INSERT INTO shares (device, sender, waiting, waiting_bytes)
  SELECT e.device, s.sender, count(*), sum(e.size)
  FROM envelopes e JOIN submissions s ON s.id = e.submission GROUP BY e.device, s.sender;

CREATE TRIGGER share_taken AFTER INSERT ON envelopes BEGIN
  INSERT INTO shares (device, sender, waiting, waiting_bytes)
    SELECT NEW.device, sender, 1, NEW.size FROM submissions WHERE id = NEW.submission
    ON CONFLICT DO UPDATE SET
      waiting = waiting + 1, waiting_bytes = waiting_bytes + excluded.waiting_bytes;
END;

CREATE TRIGGER share_given_back AFTER DELETE ON envelopes BEGIN
  UPDATE shares SET waiting = waiting - 1, waiting_bytes = waiting_bytes - OLD.size
    WHERE device = OLD.device
      AND sender = (SELECT sender FROM submissions WHERE id = OLD.submission);
  DELETE FROM shares
    WHERE device = OLD.device AND waiting <= 0
      AND sender = (SELECT sender FROM submissions WHERE id = OLD.submission);
END;
