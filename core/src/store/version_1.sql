-- Who this device is. `identity` signs requests; `account` is the Olm account and changes with every
-- one-time key; `ratchet_counter` grows with every transaction that moves a ratchet (rollback);
-- `replace_keys` says that the keys at the relay are of an old copy of this store; `listing` is what the
-- organization was asked to list, without the ticket.
CREATE TABLE device (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    organization TEXT NOT NULL,
    user_id TEXT NOT NULL,
    device_id BLOB NOT NULL,
    identity BLOB NOT NULL,
    account BLOB NOT NULL,
    listing BLOB NOT NULL,
    ratchet_counter INTEGER NOT NULL DEFAULT 0,
    fallback_made_at INTEGER,
    replace_keys INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The keys that others seal to what this device may be given later. `offered`: the relay hands it out; `replaced_at`:
-- since then it hands out a newer one.
CREATE TABLE hold_key (
    public BLOB PRIMARY KEY,
    private BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    offered INTEGER NOT NULL DEFAULT 0,
    replaced_at INTEGER
) STRICT, WITHOUT ROWID;

-- How far the mailbox has been read, in the relay's numbering, and what the relay's clock showed then.
CREATE TABLE mailbox (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    epoch BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    relay_clock INTEGER
) STRICT;

-- What we believe: root, head, policy.
CREATE TABLE trust (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    state BLOB NOT NULL
) STRICT;

-- Directory entries proven under head `head_version`; `bytes` is NULL for a proven absence.
CREATE TABLE entry (
    key TEXT PRIMARY KEY,
    bytes BLOB,
    head_version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    device_id BLOB NOT NULL,
    session_id BLOB NOT NULL,
    state BLOB NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (device_id, session_id)
) STRICT, WITHOUT ROWID;

-- Base keys of pre-key messages that were opened: the same message never opens a second session.
CREATE TABLE base_key (
    base_key BLOB PRIMARY KEY,
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is written here is over so many milliseconds after it was sent, or opened, unless it says otherwise.
CREATE TABLE conversation (
    id INTEGER PRIMARY KEY,
    conversation_id BLOB NOT NULL UNIQUE,
    reference BLOB NOT NULL,
    unread INTEGER NOT NULL DEFAULT 0,
    last_sequence INTEGER NOT NULL DEFAULT 0,
    draft BLOB,
    expire_after_sent INTEGER,
    expire_after_read INTEGER,
    role TEXT
) STRICT;
CREATE INDEX conversation_role ON conversation (role) WHERE role IS NOT NULL;
CREATE INDEX conversation_newest ON conversation (last_sequence);
CREATE INDEX conversation_unread ON conversation (unread) WHERE unread > 0;

-- `sequence` is the order of arrival here and the order of the timeline. `shown` is 0 for what only says
-- something about another message. `asks` says that an answer is wanted, `answer_by` until when, and `recipients`
-- whose answer counts (device ids, sorted); `open` that nobody has accepted it yet. What was taken back has no
-- body; `recall` is the row that says why. `amendment` is the row with the text that stands, when it was corrected.
-- `reads_back`: nobody accepts it without reading it back. `speaks`: as what its sender speaks for the role in whose
-- conversation it is; NULL for the caller, and for what was written here. `passed_by`: who passed it on, when it did not
-- come from its author. `kept`: a caller wrote it to a role, and it may have to be passed on. `handed_over`: this person
-- has passed it on to whoever holds the role now, and is asked for no answer any more.
-- It is over at `expires_at`, and `read_for` milliseconds after
-- somebody has opened it; `hidden_at` is when a clock called it over, and nobody is shown it since. What is over has no
-- body either: `recalled_at` is when that went, and `expired_at` says that this is why. `on_hold`: it
-- is hidden, and a legal hold keeps it from being erased.
-- `delegations`: who is given it besides, and by whose word.
CREATE TABLE message (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id BLOB NOT NULL,
    sender_device BLOB NOT NULL,
    sender_user TEXT NOT NULL,
    conversation INTEGER NOT NULL REFERENCES conversation (id),
    direction INTEGER NOT NULL,
    proof INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    arrived_at INTEGER NOT NULL,
    read_at INTEGER,
    content_hash BLOB,
    body BLOB NOT NULL,
    content_key BLOB,
    shown INTEGER NOT NULL DEFAULT 1,
    occurred_at INTEGER,
    asks INTEGER NOT NULL DEFAULT 0,
    answer_by INTEGER,
    recipients BLOB,
    open INTEGER NOT NULL DEFAULT 0,
    recalled_at INTEGER,
    recall INTEGER,
    amendment INTEGER,
    reads_back INTEGER NOT NULL DEFAULT 0,
    speaks INTEGER,
    expires_at INTEGER,
    read_for INTEGER,
    hidden_at INTEGER,
    expired_at INTEGER,
    passed_by TEXT,
    kept INTEGER NOT NULL DEFAULT 0,
    handed_over INTEGER NOT NULL DEFAULT 0,
    on_hold INTEGER NOT NULL DEFAULT 0,
    delegations BLOB,
    UNIQUE (sender_device, message_id)
) STRICT;
CREATE INDEX message_timeline ON message (conversation, sequence) WHERE shown = 1;
CREATE INDEX message_open ON message (priority, answer_by, sequence) WHERE open = 1;
CREATE INDEX message_kept ON message (conversation) WHERE kept = 1 AND (asks = 0 OR open = 1);
CREATE INDEX message_own ON message (created_at) WHERE direction = 1 AND shown = 1;
CREATE INDEX message_by_id ON message (message_id);
CREATE INDEX message_ends ON message (expires_at) WHERE expires_at IS NOT NULL AND recalled_at IS NULL AND on_hold = 0;
CREATE INDEX message_hidden ON message (on_hold, expires_at) WHERE hidden_at IS NOT NULL AND recalled_at IS NULL;
CREATE INDEX message_unread ON message (conversation, priority)
    WHERE read_at IS NULL AND direction = 2 AND shown = 1 AND recalled_at IS NULL AND hidden_at IS NULL;

-- Who accepted or declined which message; `message` is the row that said so, and holds the read-back. An answer
-- may overtake what it answers: `counts` is NULL until that is here. `read_back` says whether there is one.
CREATE TABLE answer (
    message INTEGER PRIMARY KEY REFERENCES message (sequence) ON DELETE CASCADE,
    subject_device BLOB NOT NULL,
    subject_id BLOB NOT NULL,
    subject_hash BLOB NOT NULL,
    user_id TEXT NOT NULL,
    device_id BLOB NOT NULL,
    verdict INTEGER NOT NULL,
    at INTEGER NOT NULL,
    counts INTEGER,
    read_back INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX answer_subject ON answer (subject_device, subject_id, user_id, at);

-- Replies that claim to be one of the texts that a message offers. Whether they are is told by the two bodies.
CREATE TABLE choice (
    message INTEGER PRIMARY KEY REFERENCES message (sequence) ON DELETE CASCADE,
    subject_device BLOB NOT NULL,
    subject_id BLOB NOT NULL
) STRICT;
CREATE INDEX choice_subject ON choice (subject_device, subject_id);
-- What the relay holds back of a message. `plan` is what its author has signed, with the secret that stops it;
-- `conversation_id` and `reference` are the conversation as the author named it; `given` is the tier by which this
-- device was given the message. The rest is for the author's own device: `armed` 0 until the relay has said (1 yes, 2
-- no), `left_out` counts tiers that could be sealed for nobody, `scheduled_for` says when it is sent if not at once,
-- `envelope_id` is what takes it to the relay.
CREATE TABLE escalation (
    message INTEGER PRIMARY KEY REFERENCES message (sequence) ON DELETE CASCADE,
    sender_device BLOB NOT NULL,
    deposit_id BLOB,
    plan BLOB NOT NULL,
    conversation_id BLOB NOT NULL,
    reference BLOB NOT NULL,
    given INTEGER,
    armed INTEGER NOT NULL,
    left_out INTEGER NOT NULL DEFAULT 0,
    scheduled_for INTEGER,
    envelope_id BLOB,
    armed_at INTEGER,
    stopped_at INTEGER,
    stopped_by BLOB,
    UNIQUE (sender_device, deposit_id)
) STRICT;
CREATE INDEX escalation_envelope ON escalation (envelope_id) WHERE envelope_id IS NOT NULL;

-- The tiers of a message of this device's, and what the relay says has come of them.
CREATE TABLE escalation_tier (
    message INTEGER NOT NULL REFERENCES escalation (message) ON DELETE CASCADE,
    tier INTEGER NOT NULL,
    envelope_id BLOB NOT NULL,
    released_at INTEGER,
    advanced INTEGER NOT NULL DEFAULT 0,
    early INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (message, tier)
) STRICT, WITHOUT ROWID;

-- For whom they are sealed. `given`: the relay says that it is in this mailbox.
CREATE TABLE escalation_device (
    message INTEGER NOT NULL,
    tier INTEGER NOT NULL,
    device_id BLOB NOT NULL,
    user_id TEXT NOT NULL,
    given INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (message, tier, device_id),
    FOREIGN KEY (message, tier) REFERENCES escalation_tier (message, tier) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Submissions that stop what is held, or advance it when `tier` says which: they are not posted by themselves.
CREATE TABLE stop (
    envelope_id BLOB PRIMARY KEY REFERENCES submission (envelope_id) ON DELETE CASCADE,
    sender_device BLOB NOT NULL,
    deposit_id BLOB NOT NULL,
    secret BLOB NOT NULL,
    tier INTEGER
) STRICT, WITHOUT ROWID;

-- What passes a message on; `message` is the row that does so, and has its words when it is ours.
CREATE TABLE pass (
    message INTEGER PRIMARY KEY REFERENCES message (sequence) ON DELETE CASCADE,
    subject_device BLOB NOT NULL,
    subject_id BLOB NOT NULL
) STRICT;
CREATE INDEX pass_subject ON pass (subject_device, subject_id);
-- Messages that hand another one on. `source_*` is that message, of what was written here. `proven`: whether the
-- directory stands behind who is said to have written it; NULL until it was asked.
CREATE TABLE forward (
    message INTEGER PRIMARY KEY REFERENCES message (sequence) ON DELETE CASCADE,
    source_device BLOB,
    source_id BLOB,
    proven INTEGER
) STRICT;
CREATE INDEX forward_source ON forward (source_device, source_id) WHERE source_device IS NOT NULL;
CREATE INDEX forward_undecided ON forward (message) WHERE proven IS NULL;

-- Who takes back which message; `message` is the row that says so. A recall may overtake its message: `obeyed` is
-- NULL until that is here, 0 when it is kept.
CREATE TABLE recall (
    message INTEGER PRIMARY KEY REFERENCES message (sequence) ON DELETE CASCADE,
    subject_device BLOB NOT NULL,
    subject_id BLOB NOT NULL,
    subject_hash BLOB NOT NULL,
    user_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    obeyed INTEGER
) STRICT;
CREATE INDEX recall_subject ON recall (subject_device, subject_id);

-- Messages without a body whose words may still be in the log or, when `indexed`, in the search index.
CREATE TABLE purge (
    message INTEGER PRIMARY KEY REFERENCES message (sequence) ON DELETE CASCADE,
    indexed INTEGER NOT NULL
) STRICT;

-- Envelopes that the relay is asked to give to nobody any more.
CREATE TABLE withdrawal (
    envelope_id BLOB PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES message (sequence) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- One row per device a message of ours goes to: the list frozen when it was sealed.
CREATE TABLE recipient (
    message INTEGER NOT NULL REFERENCES message (sequence) ON DELETE CASCADE,
    device_id BLOB NOT NULL,
    user_id TEXT NOT NULL,
    state INTEGER NOT NULL,
    cause INTEGER,
    sent_at INTEGER,
    delivered_at INTEGER,
    read_at INTEGER,
    reseal_wanted_at INTEGER,
    resealed_at INTEGER,
    recall INTEGER,
    PRIMARY KEY (message, device_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX recipient_wishes ON recipient (reseal_wanted_at) WHERE reseal_wanted_at IS NOT NULL;

CREATE TABLE idempotency (
    key TEXT PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES message (sequence) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Messages not sealed for every recipient device yet. `content` is the encoded Content until the
-- recipients are frozen; then `signed` and `content_key` are kept until the last device has keys.
CREATE TABLE outbox (
    message INTEGER PRIMARY KEY REFERENCES message (sequence) ON DELETE CASCADE,
    content BLOB,
    signed BLOB,
    content_key BLOB,
    queued_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Sealed and waiting for the relay: exactly these bytes are posted, however often it takes.
CREATE TABLE submission (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    envelope_id BLOB NOT NULL UNIQUE,
    message INTEGER REFERENCES message (sequence) ON DELETE CASCADE,
    body BLOB NOT NULL
) STRICT;

-- Which message an envelope of ours carried, for as long as it may be asked for again.
CREATE TABLE sent_envelope (
    envelope_id BLOB PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES message (sequence) ON DELETE CASCADE,
    posted_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX sent_envelope_message ON sent_envelope (message);

CREATE TABLE envelope_device (
    envelope_id BLOB NOT NULL REFERENCES sent_envelope (envelope_id) ON DELETE CASCADE,
    device_id BLOB NOT NULL,
    PRIMARY KEY (envelope_id, device_id)
) STRICT, WITHOUT ROWID;

-- Receipts to be signed and sealed together, per author.
CREATE TABLE receipt (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    author_user TEXT NOT NULL,
    message_id BLOB NOT NULL,
    content_hash BLOB NOT NULL,
    kind INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX receipt_by_author ON receipt (author_user, id);

-- Control traffic that waits for a session with its device.
CREATE TABLE control (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    device_id BLOB NOT NULL,
    user_id TEXT NOT NULL,
    body BLOB NOT NULL,
    queued_at INTEGER NOT NULL
) STRICT;
CREATE INDEX control_by_device ON control (device_id);

-- Envelopes that were opened, so that the relay's repetitions are known as such.
CREATE TABLE opened_envelope (
    sender_device BLOB NOT NULL,
    envelope_id BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (sender_device, envelope_id)
) STRICT, WITHOUT ROWID;

-- Envelopes that would not open, kept as a fact.
CREATE TABLE refused_envelope (
    envelope_id BLOB NOT NULL,
    sender_device BLOB NOT NULL,
    sender_user TEXT NOT NULL,
    at INTEGER NOT NULL,
    cause INTEGER NOT NULL,
    curable INTEGER NOT NULL,
    reseal_requested_at INTEGER,
    healed_at INTEGER,
    PRIMARY KEY (sender_device, envelope_id)
) STRICT, WITHOUT ROWID;

-- What the app has not confirmed yet, oldest first.
CREATE TABLE event (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;

-- Messages that came and that nobody was told of yet. Gone once a notification of it was shown, it was
-- read, or the app has confirmed the event that announced it (`event`). `tag` is random: the name of the
-- notification, which says nothing of the message. `round` counts how often it was repeated, `shown` says that a
-- notification was shown in this round.
CREATE TABLE notice (
    message INTEGER PRIMARY KEY REFERENCES message (sequence) ON DELETE CASCADE,
    event INTEGER NOT NULL,
    tag BLOB NOT NULL,
    round INTEGER NOT NULL DEFAULT 0,
    shown INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX notice_by_event ON notice (event);

-- Messages that wait for an answer and of which somebody was reminded: how often, when next (NULL: no more, it was
-- told that the time is up), and by which event last.
CREATE TABLE reminder (
    message INTEGER PRIMARY KEY REFERENCES message (sequence) ON DELETE CASCADE,
    round INTEGER NOT NULL,
    due_at INTEGER,
    event INTEGER NOT NULL
) STRICT;

-- Whether people can be reached: the newest that a person signed, as far as it was heard here; what the relay said of
-- when they were last seen, and when it was asked. `unsent`: this device said it, and the relay has not taken it; `untold`:
-- nor were the person's other devices told.
CREATE TABLE reach (
    user_id TEXT PRIMARY KEY,
    availability BLOB,
    last_seen INTEGER,
    asked_at INTEGER,
    unsent INTEGER NOT NULL DEFAULT 0,
    untold INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Hash-chained; never a text, never deleted here.
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    action INTEGER NOT NULL,
    subject BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;

-- Who corrects which message; `message` is the row that holds the new text. `version_device`, `version_id` and `at`
-- name the correction; a copy that another device of its author hands on has the same. It may overtake its message:
-- `counts` is NULL until that is here.
CREATE TABLE amendment (
    message INTEGER PRIMARY KEY REFERENCES message (sequence) ON DELETE CASCADE,
    subject_device BLOB NOT NULL,
    subject_id BLOB NOT NULL,
    subject_hash BLOB NOT NULL,
    user_id TEXT NOT NULL,
    version_device BLOB NOT NULL,
    version_id BLOB NOT NULL,
    at INTEGER NOT NULL,
    counts INTEGER
) STRICT;
CREATE INDEX amendment_subject ON amendment (subject_device, subject_id, at);
