-- Texts that could not be read here, with the time of the next step for each (NULL: none), and own
-- texts that others could not read: sealed in which epoch, in which parcels, who reported them.
ALTER TABLE sent_text ADD COLUMN epoch INTEGER NOT NULL DEFAULT -1;
ALTER TABLE sent_text ADD COLUMN digests BLOB NOT NULL DEFAULT x'';
ALTER TABLE gap ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE gap ADD COLUMN due_ms INTEGER;

CREATE INDEX gap_due ON gap (due_ms) WHERE due_ms IS NOT NULL;

CREATE TABLE lost_text (
    parcel BLOB PRIMARY KEY,
    conversation BLOB NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    device BLOB NOT NULL,
    asked INTEGER NOT NULL,
    due_ms INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX lost_text_due ON lost_text (due_ms) WHERE due_ms IS NOT NULL;

CREATE TABLE text_report (
    conversation BLOB NOT NULL,
    message BLOB NOT NULL,
    device BLOB NOT NULL,
    user TEXT NOT NULL,
    times INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (conversation, message, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE report_pace (
    device BLOB NOT NULL,
    role INTEGER NOT NULL,
    day INTEGER NOT NULL,
    count INTEGER NOT NULL,
    next_ms INTEGER NOT NULL,
    PRIMARY KEY (device, role)
) STRICT, WITHOUT ROWID;
