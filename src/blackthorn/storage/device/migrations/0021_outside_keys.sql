-- Certificates of people outside: the one that mail is sealed to, and another that waits for the
-- person's decision. Without either: the address's domain was asked, and has none.
CREATE TABLE outside_key (
    address TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    certificate BLOB NOT NULL,
    since_ms INTEGER NOT NULL,
    offered_source TEXT NOT NULL,
    offered_fingerprint TEXT NOT NULL,
    offered BLOB NOT NULL,
    offered_ms INTEGER NOT NULL,
    asked_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
