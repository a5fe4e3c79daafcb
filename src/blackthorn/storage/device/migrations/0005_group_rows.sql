-- MLS states in rows: conversation.state keeps those of older vaults until they are opened.
CREATE TABLE group_state (
    number INTEGER PRIMARY KEY,
    conversation BLOB NOT NULL UNIQUE REFERENCES conversation (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    head BLOB NOT NULL
) STRICT;

CREATE TABLE epoch (
    state INTEGER NOT NULL REFERENCES group_state (number) ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (state, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE node (
    state INTEGER NOT NULL REFERENCES group_state (number) ON DELETE CASCADE,
    node INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (state, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE secret_node (
    state INTEGER NOT NULL REFERENCES group_state (number) ON DELETE CASCADE,
    node INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (state, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE ratchet (
    state INTEGER NOT NULL REFERENCES group_state (number) ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    leaf INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (state, epoch, leaf, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE skipped (
    state INTEGER NOT NULL REFERENCES group_state (number) ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    leaf INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (state, epoch, leaf, kind, generation)
) STRICT, WITHOUT ROWID;

CREATE TABLE leaf_span (
    state INTEGER NOT NULL REFERENCES group_state (number) ON DELETE CASCADE,
    leaf INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (state, leaf, epoch)
) STRICT, WITHOUT ROWID;
