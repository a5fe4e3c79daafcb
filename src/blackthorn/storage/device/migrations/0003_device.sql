-- A device's database. All of it lies encrypted; nothing of it leaves the device.

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE key_package (
    reference BLOB PRIMARY KEY,
    private BLOB NOT NULL,
    last_resort INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE used_once (
    key BLOB PRIMARY KEY,
    what BLOB NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE conversation (
    id BLOB PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    standing TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    state BLOB NOT NULL
) STRICT;

CREATE INDEX conversation_name ON conversation (kind, name);

CREATE TABLE envelope_key (
    conversation BLOB NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    epoch INTEGER NOT NULL,
    key BLOB NOT NULL,
    PRIMARY KEY (conversation, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE chain (
    address TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    head BLOB NOT NULL,
    seq INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    statements BLOB NOT NULL,
    logged BLOB NOT NULL,
    certificate BLOB NOT NULL,
    checked_ms INTEGER NOT NULL,
    verified_ms INTEGER NOT NULL,
    present INTEGER NOT NULL,
    checked_size INTEGER NOT NULL,
    as_of_ms INTEGER NOT NULL,
    devices BLOB NOT NULL
) STRICT;

CREATE TABLE checkpoint (
    size INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    note BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    unix_ms INTEGER NOT NULL,
    quorum_s INTEGER NOT NULL,
    users INTEGER NOT NULL
) STRICT;

CREATE TABLE alarm (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    code TEXT NOT NULL,
    address TEXT NOT NULL,
    text TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    evidence BLOB NOT NULL,
    accepted INTEGER NOT NULL,
    fact TEXT NOT NULL
) STRICT;

CREATE TABLE ledger_entries (
    start INTEGER PRIMARY KEY,
    entries BLOB NOT NULL
) STRICT;

CREATE TABLE mail_key (
    fingerprint TEXT PRIMARY KEY,
    secret BLOB NOT NULL,
    certificate BLOB NOT NULL,
    since_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE stranger (
    device BLOB NOT NULL,
    address TEXT NOT NULL,
    asked INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (device, address)
) STRICT, WITHOUT ROWID;

CREATE TABLE tally (
    conversation BLOB NOT NULL,
    device BLOB NOT NULL,
    highest INTEGER NOT NULL,
    PRIMARY KEY (conversation, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE gap (
    conversation BLOB NOT NULL,
    device BLOB NOT NULL,
    counter INTEGER NOT NULL,
    PRIMARY KEY (conversation, device, counter)
) STRICT, WITHOUT ROWID;

CREATE TABLE history (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    message BLOB NOT NULL UNIQUE,
    conversation BLOB NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    sender TEXT NOT NULL,
    sort TEXT NOT NULL,
    text TEXT NOT NULL,
    sent_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    standing TEXT NOT NULL,
    shown INTEGER NOT NULL
) STRICT;

CREATE INDEX history_unshown ON history (number) WHERE shown = 0;

CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    target BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    intent BLOB NOT NULL,
    posting BLOB UNIQUE,
    packages BLOB,
    prepared BLOB,
    problem TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE seen_parcel (
    digest BLOB PRIMARY KEY,
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE set_aside_parcel (
    digest BLOB PRIMARY KEY,
    seq INTEGER NOT NULL,
    reason TEXT NOT NULL,
    since_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE mail (
    uid INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    sender TEXT NOT NULL,
    subject TEXT NOT NULL,
    date TEXT NOT NULL,
    readable INTEGER NOT NULL
) STRICT;
