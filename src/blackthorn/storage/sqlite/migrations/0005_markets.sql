-- Each user has a market. Sealed bytes that are stored for them are wrapped under its key, which
-- is not in the database: without it nothing of that market can be read, in any old copy either.

ALTER TABLE users ADD COLUMN market TEXT NOT NULL DEFAULT 'ZZ';  -- the country whose key wraps what is stored for the user; ZZ when not stated | until the user is removed | producible: yes
ALTER TABLE users ADD COLUMN language TEXT NOT NULL DEFAULT 'en';  -- in which the user is given notice | until the user is removed | producible: yes

CREATE INDEX users_by_market ON users (market);

-- Markets that ever had a user. The keys lie in files apart from this database.
CREATE TABLE market (
    code TEXT PRIMARY KEY,  -- ISO 3166-1 alpha-2, or ZZ | for the life of the server | producible: yes
    fingerprint BLOB NOT NULL,  -- names the market's key and does not give it | for the life of the server | producible: yes
    since_ms INTEGER NOT NULL  -- when its first user was added | for the life of the server | producible: yes
) STRICT, WITHOUT ROWID;

-- One row: another number after each change of a user's market, so that no old one stays in use.
CREATE TABLE market_change (
    number INTEGER NOT NULL  -- random | until the next change | producible: no
) STRICT;

INSERT INTO market_change (number) VALUES (0);

CREATE TRIGGER users_market_changed AFTER UPDATE OF market ON users
BEGIN
    UPDATE market_change SET number = random();
END;

-- The market of a row is empty while it was stored before this migration and lies unwrapped.
ALTER TABLE mail ADD COLUMN market TEXT NOT NULL DEFAULT '';  -- whose key wraps the sealed bytes | until the user removes the mail | producible: no
ALTER TABLE mailbox ADD COLUMN market TEXT NOT NULL DEFAULT '';  -- whose key wraps the sealed bytes | until the device acknowledges the parcel | producible: no

CREATE INDEX mail_unwrapped ON mail (user) WHERE market = '';
CREATE INDEX mailbox_unwrapped ON mailbox (device) WHERE market = '';

DROP TRIGGER shared_parcel_released;
ALTER TABLE shared_parcel RENAME TO shared_parcel_before;

-- The sealed bytes of a parcel for several devices, stored once for each market.
CREATE TABLE shared_parcel (
    seq INTEGER NOT NULL,  -- the seq under which it waits in each mailbox | until the last addressed device acknowledges it | producible: yes
    market TEXT NOT NULL,  -- whose key wraps the sealed bytes | until the last addressed device acknowledges it | producible: no
    waiting INTEGER NOT NULL,  -- how many devices have not yet acknowledged it | until the last addressed device acknowledges it | producible: yes
    sealed BLOB NOT NULL,  -- the sealed parcel, wrapped | until the last addressed device acknowledges it | producible: yes
    PRIMARY KEY (seq, market)
) STRICT, WITHOUT ROWID;

INSERT INTO shared_parcel (seq, market, waiting, sealed)
SELECT seq, '', waiting, sealed FROM shared_parcel_before;

DROP TABLE shared_parcel_before;

CREATE TRIGGER shared_parcel_released AFTER DELETE ON mailbox WHEN old.sealed IS NULL
BEGIN
    UPDATE shared_parcel SET waiting = waiting - 1 WHERE seq = old.seq AND market = old.market;
    DELETE FROM shared_parcel WHERE seq = old.seq AND market = old.market AND waiting <= 0;
END;
