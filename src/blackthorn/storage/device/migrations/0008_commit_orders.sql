-- Void Commits of each epoch, and those that the server named as accepted: place 0 is not named.
CREATE TABLE commit_order (
    conversation BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    digest BLOB NOT NULL,
    void INTEGER NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (conversation, epoch, digest)
) STRICT, WITHOUT ROWID;
