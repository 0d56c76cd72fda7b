-- The relay's database, version 4: how a device that sleeps is woken.

CREATE TABLE push_registrations (
  device INTEGER PRIMARY KEY REFERENCES devices (id),
  token  TEXT NOT NULL CHECK (token <> ''),
  topic  TEXT NOT NULL
) STRICT;
