-- When the leaves of conversations last had new keys; of this device's own also when new ones are due.
CREATE TABLE leaf (
    conversation BLOB NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    device BLOB NOT NULL,
    renewed_ms INTEGER NOT NULL,
    moved_ms INTEGER NOT NULL,
    due_day INTEGER NOT NULL,
    due_sent INTEGER NOT NULL,
    drawn_ms INTEGER NOT NULL,
    before_text INTEGER NOT NULL,
    spread INTEGER NOT NULL,
    PRIMARY KEY (conversation, device)
) STRICT, WITHOUT ROWID;
