-- What became of operations, for the process that enqueued them: another may have sent them.
CREATE TABLE outcome (
    place INTEGER PRIMARY KEY,
    number INTEGER NOT NULL UNIQUE,
    message BLOB NOT NULL,
    error TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
