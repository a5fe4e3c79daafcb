-- The ledger: the public log with the map that it carries, and the identity chains of users.
-- What the log itself shows is public by design; it names nobody. What ties it to a person is
-- the salt of ledger_label and the chain: once both are deleted, it tells nothing of them.

-- The entries of the log, in their order, for ever.
CREATE TABLE ledger_entry (
    place INTEGER PRIMARY KEY,  -- index in the log | for the life of the ledger | producible: yes
    entry BLOB NOT NULL  -- a change of the map, the head of an epoch, or a typed record | for the life of the ledger | producible: yes
) STRICT;

CREATE INDEX ledger_entry_config ON ledger_entry (place) WHERE substr(entry, 1, 1) = x'03';

-- The end of each epoch. Only one is ever pending, and its note is never made again.
CREATE TABLE ledger_epoch (
    size INTEGER PRIMARY KEY,  -- entries of the log at the end of the epoch | for the life of the ledger | producible: yes
    root BLOB NOT NULL,  -- hash of these entries | for the life of the ledger | producible: yes
    note BLOB,  -- the signed checkpoint, with its witnesses' signatures once it is published | until the next one is published | producible: yes
    published INTEGER NOT NULL  -- 0 while it waits for witnesses | for the life of the ledger | producible: yes
) STRICT;

CREATE UNIQUE INDEX ledger_epoch_pending ON ledger_epoch (published) WHERE published = 0;
CREATE INDEX ledger_epoch_noted ON ledger_epoch (size) WHERE note IS NOT NULL;

-- Signed checkpoints of ours that this log does not have: it was set back to an older state.
CREATE TABLE ledger_evidence (
    note BLOB PRIMARY KEY,  -- the signed checkpoint | until an administrator has restored the ledger | producible: yes
    seen_ms INTEGER NOT NULL  -- when it was shown to the server | until an administrator has restored the ledger | producible: yes
) STRICT, WITHOUT ROWID;

-- Typed entries that wait for the next epoch.
CREATE TABLE ledger_record (
    number INTEGER PRIMARY KEY,  -- order of coming | until the next epoch | producible: yes
    kind INTEGER NOT NULL,  -- type of the entry | until the next epoch | producible: yes
    body BLOB NOT NULL  -- the entry's fields | until the next epoch | producible: yes
) STRICT;

-- Users as the map names them. Without the salt no entry of the log can be shown to be a user's.
CREATE TABLE ledger_label (
    user INTEGER PRIMARY KEY REFERENCES users (number),  -- whose place in the map | until the user is removed | producible: yes
    map_index BLOB NOT NULL UNIQUE,  -- the place: a keyed hash of the address | until the user is removed | producible: yes
    vrf_proof BLOB NOT NULL,  -- shows that the place is that of the address | until the user is removed | producible: yes
    salt BLOB NOT NULL  -- random bytes from which the openings of their entries are derived | until the user is removed | producible: no
) STRICT;

-- The versions of each user's leaf in the map.
CREATE TABLE ledger_leaf (
    user INTEGER NOT NULL REFERENCES users (number),  -- whose leaf | until the user is removed | producible: yes
    version INTEGER NOT NULL,  -- counts the changes of the leaf | until the user is removed | producible: yes
    head BLOB NOT NULL,  -- hash of the newest statement of the chain | until the user is removed | producible: yes
    seq INTEGER NOT NULL,  -- number of that statement | until the user is removed | producible: yes
    flags INTEGER NOT NULL,  -- whether a reset waits, whether the account is closed | until the user is removed | producible: yes
    place INTEGER NOT NULL,  -- index of the log's entry | until the user is removed | producible: yes
    PRIMARY KEY (user, version)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX ledger_leaf_by_place ON ledger_leaf (place);

-- The identity chains: statements that users' devices have signed. All keys in them are public.
CREATE TABLE chain_statement (
    number INTEGER PRIMARY KEY,  -- order of coming | until the user is removed | producible: yes
    user INTEGER NOT NULL REFERENCES users (number),  -- whose chain | until the user is removed | producible: yes
    seq INTEGER NOT NULL,  -- place in the chain | until the user is removed | producible: yes
    head BLOB NOT NULL,  -- hash of the statement | until the user is removed | producible: yes
    kind TEXT NOT NULL,  -- type of the statement, such as a device that is added | until the user is removed | producible: yes
    flags INTEGER NOT NULL,  -- whether a reset waits after it | until the user is removed | producible: yes
    statement BLOB NOT NULL,  -- the statement and its signatures | until the user is removed | producible: yes
    place INTEGER,  -- index of the log's entry that published it, empty until then | until the user is removed | producible: yes
    UNIQUE (user, seq)
) STRICT;

CREATE INDEX chain_statement_waiting ON chain_statement (number) WHERE place IS NULL;

-- OpenPGP certificates, to which mail from outside is sealed.
CREATE TABLE user_certificate (
    user INTEGER NOT NULL REFERENCES users (number),  -- whose it is | until a newer one is published | producible: yes
    seq INTEGER NOT NULL,  -- place in the chain of the statement that names it | until a newer one is published | producible: yes
    certificate BLOB NOT NULL,  -- the certificate: public keys and the user's address | until a newer one is published | producible: yes
    UNIQUE (user, seq)
) STRICT;

-- A device's certificate is its user's now; the number of a row that is gone is never given again,
-- so that what is still on its way to a removed device reaches nobody else.
DROP INDEX devices_by_user;
ALTER TABLE devices RENAME TO devices_before;

-- Activated devices. All keys here are public ones.
CREATE TABLE devices (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- short name inside this database, under which parcels wait | until the device is removed | producible: no
    id BLOB NOT NULL UNIQUE,  -- 16 bytes of the hash of the identity key, by which senders address parcels | until the device is removed | producible: yes
    user INTEGER NOT NULL REFERENCES users (number),  -- whose device it is | until the device is removed | producible: yes
    identity_key BLOB NOT NULL,  -- Ed25519 public key that signs the hello of the link | until the device is removed | producible: yes
    name TEXT NOT NULL,  -- what its owner calls it, for lists | until the device is removed | producible: yes
    standing TEXT NOT NULL,  -- live, or pending while the reset that brought it waits | until the device is removed | producible: yes
    activated_ms INTEGER NOT NULL  -- when it was activated | until the device is removed | producible: yes
) STRICT;

INSERT INTO devices (number, id, user, identity_key, name, standing, activated_ms)
SELECT number, id, user, identity_key, name, 'live', activated_ms FROM devices_before;

INSERT INTO user_certificate (user, seq, certificate)
SELECT user, 0, certificate FROM devices_before AS newest
WHERE number = (SELECT max(number) FROM devices_before WHERE user = newest.user);

DROP TABLE devices_before;
CREATE INDEX devices_by_user ON devices (user);
CREATE INDEX devices_pending ON devices (standing) WHERE standing = 'pending';

ALTER TABLE activations ADD COLUMN used_seq INTEGER;  -- place in the chain of the first statement of the device that it activated | until the code expires | producible: yes
