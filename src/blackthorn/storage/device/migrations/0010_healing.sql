-- What a device knows of how a conversation stands with the others, and the ways back into it.
CREATE TABLE healing (
    conversation BLOB PRIMARY KEY REFERENCES conversation (id) ON DELETE CASCADE,
    busy INTEGER NOT NULL,
    state BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A secret of each epoch by which two members compare their histories.
CREATE TABLE branch (
    conversation BLOB NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    secret BLOB NOT NULL,
    begun_ms INTEGER NOT NULL,
    PRIMARY KEY (conversation, epoch)
) STRICT, WITHOUT ROWID;

-- Questions and answers of other devices that are not worked off yet.
CREATE TABLE heard (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    message BLOB NOT NULL
) STRICT;

-- Own texts that may have to go again; their words are in the history.
CREATE TABLE sent_text (
    conversation BLOB NOT NULL,
    message BLOB NOT NULL,
    salt BLOB NOT NULL,
    count INTEGER NOT NULL,
    sent_ms INTEGER NOT NULL,
    accepted_ms INTEGER NOT NULL,
    PRIMARY KEY (conversation, message)
) STRICT, WITHOUT ROWID;
