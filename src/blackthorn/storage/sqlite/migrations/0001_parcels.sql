-- Parcels in transit, the order of Commits, key packages. Nothing here says who sent a
-- parcel or which conversation it belongs to; of times, only the day of a Commit.

-- What waits for a device. Kept until the device acknowledges it; what a removed device leaves is
-- deleted at once, or by the purge that runs every ten minutes.
CREATE TABLE mailbox (
    device INTEGER NOT NULL,  -- the device it waits for, by its row number | until the device acknowledges the parcel | producible: yes
    seq INTEGER NOT NULL,  -- place in the order of delivery, rising over all devices | until the device acknowledges the parcel | producible: yes
    set_aside_day INTEGER,  -- Unix day on which the device said that it could not open it | until the device acknowledges the parcel, 30 days after that day, or until the device sets aside too much | producible: yes
    sealed BLOB,  -- the sealed parcel; empty when shared_parcel holds it | until the device acknowledges the parcel | producible: yes
    PRIMARY KEY (device, seq)
) STRICT, WITHOUT ROWID;

-- The sealed bytes of a parcel for several devices, stored once.
CREATE TABLE shared_parcel (
    seq INTEGER PRIMARY KEY,  -- the seq under which it waits in each mailbox | until the last addressed device acknowledges it | producible: yes
    waiting INTEGER NOT NULL,  -- how many devices have not yet acknowledged it | until the last addressed device acknowledges it | producible: yes
    sealed BLOB NOT NULL  -- the sealed parcel | until the last addressed device acknowledges it | producible: yes
) STRICT;

CREATE TRIGGER shared_parcel_released AFTER DELETE ON mailbox WHEN old.sealed IS NULL
BEGIN
    UPDATE shared_parcel SET waiting = waiting - 1 WHERE seq = old.seq;
    DELETE FROM shared_parcel WHERE seq = old.seq AND waiting <= 0;
END;

-- One row: up to where the numbers of parcels are given out, so that none comes twice.
CREATE TABLE parcel_sequence (
    reserved INTEGER NOT NULL  -- every number below it may have been used | for the life of the server | producible: yes
) STRICT;

INSERT INTO parcel_sequence (reserved) VALUES (1);

-- The compare-and-set that keeps a conversation from forking: its last 256 Commits.
CREATE TABLE conversation_order (
    handle BLOB NOT NULL,  -- 32 bytes that only the conversation's members can name | 180 days, or until 256 Commits later | producible: yes
    epoch INTEGER NOT NULL,  -- the epoch that this Commit started from | 180 days, or until 256 Commits later | producible: yes
    token BLOB NOT NULL,  -- 16 random bytes of the Commit, to know its repetition | 180 days, or until 256 Commits later | producible: yes
    day INTEGER NOT NULL,  -- Unix day of the Commit, so that it can be deleted in time | 180 days, or until 256 Commits later | producible: yes
    PRIMARY KEY (handle, epoch)
) STRICT, WITHOUT ROWID;

CREATE INDEX conversation_order_by_day ON conversation_order (day);

-- Public keys by which others add a device to a conversation while it is off line.
CREATE TABLE key_package (
    id INTEGER PRIMARY KEY,  -- row number | until it is handed out | producible: yes
    device INTEGER NOT NULL,  -- the device it adds, by its row number | until it is handed out | producible: yes
    last_resort INTEGER NOT NULL,  -- 1 when it is handed out as often as needed, once the others are gone | until the device publishes another | producible: yes
    package BLOB NOT NULL  -- the MLS KeyPackage: public keys and the device's name | until it is handed out; the last-resort one until another replaces it | producible: yes
) STRICT;

CREATE INDEX key_package_of_device ON key_package (device, last_resort);
