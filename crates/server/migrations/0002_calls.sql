-- Calls, mailboxes, and who can be reached. Nothing here outlives a call by more than a day; most of it by two minutes.

-- The server process that a device is connected to.
ALTER TABLE devices ADD COLUMN node BLOB;
-- Counts connections, so that the end of an older one changes nothing.
ALTER TABLE devices ADD COLUMN connection INTEGER NOT NULL DEFAULT 0;
-- Until when a device whose line was lost counts as reachable.
ALTER TABLE devices ADD COLUMN reachable_until INTEGER NOT NULL DEFAULT 0;
-- The highest mailbox number that was dropped before it was acknowledged.
ALTER TABLE devices ADD COLUMN mail_dropped INTEGER NOT NULL DEFAULT 0;

CREATE INDEX devices_by_node ON devices (node) WHERE node IS NOT NULL;
CREATE INDEX devices_by_grace ON devices (reachable_until) WHERE node IS NULL AND reachable_until > 0;

-- A server process that is alive renews its lease. The devices of one whose lease has run out count as lost.
CREATE TABLE nodes (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    lease_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE calls (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    caller BLOB NOT NULL,
    caller_device BLOB NOT NULL,
    callee BLOB NOT NULL,
    media TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ringing', 'accepted', 'ended', 'refused')),
    -- The date, for the callee's list of missed calls.
    placed_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    caller_lost_at INTEGER,
    accepted_by BLOB,
    declined_by BLOB,
    reason TEXT,
    -- When the clock ends the ring; NULL when it no longer rings.
    deadline INTEGER,
    -- When the row is deleted.
    forget_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX calls_by_deadline ON calls (deadline) WHERE deadline IS NOT NULL;
CREATE INDEX calls_by_forget ON calls (forget_at);
CREATE INDEX calls_ringing_from ON calls (caller_device) WHERE state = 'ringing';
CREATE INDEX calls_ringing_by_caller ON calls (caller) WHERE state = 'ringing';
CREATE INDEX calls_ringing_by_callee ON calls (callee) WHERE state = 'ringing';

-- The callee's devices in a call.
CREATE TABLE rung (
    call BLOB NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    device BLOB NOT NULL,
    reachable INTEGER NOT NULL,
    ringing INTEGER NOT NULL,
    declined TEXT,
    PRIMARY KEY (call, device)
) STRICT, WITHOUT ROWID;

CREATE INDEX rung_by_device ON rung (device);

-- Relays that were passed on: the same one sent again is not.
CREATE TABLE relays (
    call BLOB NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    sender BLOB NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (call, sender, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE mailbox (
    id INTEGER PRIMARY KEY,
    device BLOB NOT NULL,
    seq INTEGER NOT NULL,
    call BLOB NOT NULL,
    -- A `ring`: taken out when the call no longer rings.
    is_ring INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    event TEXT NOT NULL,
    UNIQUE (device, seq)
) STRICT;

CREATE INDEX mailbox_by_expiry ON mailbox (expires_at);
CREATE INDEX mailbox_rings ON mailbox (call) WHERE is_ring = 1;

-- A device that was removed has no mailbox.
CREATE TRIGGER devices_revoked AFTER UPDATE OF revoked_at ON devices WHEN new.revoked_at IS NOT NULL
BEGIN
    DELETE FROM mailbox WHERE device = new.id;
END;
