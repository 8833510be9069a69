-- Ids are the 16 bytes of the protocol, moments are milliseconds since 1970.

CREATE TABLE pictures (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    jpeg BLOB NOT NULL
) STRICT;

CREATE TABLE accounts (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    handle TEXT NOT NULL UNIQUE,
    -- What the handle looks like: two handles that are easily mistaken for each other share it.
    skeleton TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    account_key BLOB NOT NULL CHECK (length(account_key) = 32),
    picture BLOB REFERENCES pictures (hash),
    verified INTEGER NOT NULL DEFAULT 0,
    suspended INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    calls_enabled INTEGER NOT NULL,
    calls_following INTEGER NOT NULL,
    calls_verified INTEGER NOT NULL,
    calls_address_book INTEGER NOT NULL,
    calls_everyone INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX accounts_by_picture ON accounts (picture) WHERE picture IS NOT NULL;

-- A revoked device stays as an id and a key without a name, so that it can be told that it was revoked and can't be
-- added again.
CREATE TABLE devices (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    account BLOB NOT NULL REFERENCES accounts (id),
    name TEXT NOT NULL,
    device_key BLOB NOT NULL CHECK (length(device_key) = 32),
    certificate_body BLOB NOT NULL,
    certificate_signature BLOB NOT NULL CHECK (length(certificate_signature) = 64),
    certificate_seq INTEGER NOT NULL,
    added_at INTEGER NOT NULL,
    -- Start of the day on which it was last connected.
    last_seen_day INTEGER,
    revoked_at INTEGER,
    -- The highest mailbox number that was ever given to this device.
    mail_seq INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX devices_by_account ON devices (account) WHERE revoked_at IS NULL;

CREATE TABLE tokens (
    -- SHA-256 of the token.
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    device BLOB NOT NULL REFERENCES devices (id),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_by_device ON tokens (device);
CREATE INDEX tokens_by_expiry ON tokens (expires_at);

-- A challenge carries its own proof (an HMAC), so giving one out writes nothing. Only answered ones are kept, until
-- long after they could be answered again.
CREATE TABLE answered_challenges (
    nonce BLOB PRIMARY KEY CHECK (length(nonce) = 32),
    answered_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX answered_challenges_by_time ON answered_challenges (answered_at);

-- `id` orders the lists, newest first, and is their cursor.
CREATE TABLE follows (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    follower BLOB NOT NULL REFERENCES accounts (id),
    followee BLOB NOT NULL REFERENCES accounts (id),
    UNIQUE (follower, followee)
) STRICT;

CREATE INDEX follows_by_follower ON follows (follower, id);
CREATE INDEX follows_by_followee ON follows (followee, id);

CREATE TABLE blocks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    blocker BLOB NOT NULL REFERENCES accounts (id),
    blocked BLOB NOT NULL REFERENCES accounts (id),
    UNIQUE (blocker, blocked)
) STRICT;

CREATE INDEX blocks_by_blocker ON blocks (blocker, id);

CREATE TABLE missed_calls (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    callee BLOB NOT NULL REFERENCES accounts (id),
    caller BLOB NOT NULL REFERENCES accounts (id),
    media TEXT NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('missed', 'filtered'))
) STRICT;

CREATE INDEX missed_calls_by_callee ON missed_calls (callee, kind, id);

CREATE TABLE invitations (
    -- SHA-256 of the code.
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    uses_left INTEGER NOT NULL CHECK (uses_left >= 0),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Keys and secrets of this server, and the roll-out.
CREATE TABLE server (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What the operator's commands, another process, tell the running server.
CREATE TABLE operator_changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account BLOB NOT NULL REFERENCES accounts (id),
    at INTEGER NOT NULL
) STRICT;
