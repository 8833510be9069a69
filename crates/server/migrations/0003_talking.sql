-- Who talks to whom: for a second caller, and for two who called each other.

-- The call that a device was last in, from the accept on. Whether it still is, the call says.
ALTER TABLE devices ADD COLUMN in_call BLOB;

-- This call is a missed one unless that one, between the same two accounts in the other direction, is accepted.
ALTER TABLE calls ADD COLUMN missed_unless BLOB;

CREATE INDEX calls_missed_unless ON calls (missed_unless) WHERE missed_unless IS NOT NULL;
CREATE INDEX calls_accepted_by_caller ON calls (caller) WHERE state = 'accepted';
