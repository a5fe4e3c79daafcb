-- The people of the enterprise.
CREATE TABLE users (
    number INTEGER PRIMARY KEY,     -- short name inside this database | until the user is removed | producible: no
    address TEXT NOT NULL UNIQUE,   -- the user's mail address, by which others reach them | until the user is removed | producible: yes
    pin TEXT NOT NULL UNIQUE,       -- eight hex digits, a short name that can be read out | until the user is removed | producible: yes
    created_ms INTEGER NOT NULL     -- when an administrator added the user | until the user is removed | producible: yes
) STRICT;

-- Activated devices. All keys here are public ones.
CREATE TABLE devices (
    number INTEGER PRIMARY KEY,     -- short name inside this database, under which parcels wait | until the device is removed | producible: no
    id BLOB NOT NULL UNIQUE,        -- 16 bytes of the hash of the identity key, by which senders address parcels | until the device is removed | producible: yes
    user INTEGER NOT NULL REFERENCES users (number),  -- whose device it is | until the device is removed | producible: yes
    identity_key BLOB NOT NULL,     -- Ed25519 public key that signs the hello of the link | until the device is removed | producible: yes
    name TEXT NOT NULL,             -- what its owner calls it, for lists | until the device is removed | producible: yes
    certificate BLOB NOT NULL,      -- OpenPGP certificate to which inbound mail is sealed | until the device is removed | producible: yes
    activated_ms INTEGER NOT NULL   -- when it was activated | until the device is removed | producible: yes
) STRICT;

CREATE INDEX devices_by_user ON devices (user);

-- Activation codes that are open. None of it lets its holder activate a device.
CREATE TABLE activations (
    nameplate TEXT PRIMARY KEY,     -- the number that a code begins with | until the code expires | producible: no
    user INTEGER NOT NULL REFERENCES users (number),  -- for whom the code was made | until the code expires | producible: yes
    password BLOB NOT NULL,         -- SPAKE2 password, made of the code by Argon2id | until the code expires | producible: no
    public_key BLOB NOT NULL,       -- Ed25519 public key of the key that only the code gives | until the code expires | producible: no
    expires_ms INTEGER NOT NULL,    -- when the code stops working | until the code expires | producible: yes
    tries INTEGER NOT NULL,         -- attempts that were begun and not proven; five burn the code | until the code expires | producible: yes
    used_by BLOB                    -- id of the device that it activated, so that a lost answer can be repeated | until the code expires | producible: yes
) STRICT, WITHOUT ROWID;

CREATE INDEX activations_by_user ON activations (user);
