-- A parcel's number counts within its device's mailbox: one rising number over all devices would
-- tell from what waits who received at the same time. What several devices wait for has a random id.

DROP TRIGGER shared_parcel_released;
ALTER TABLE mailbox RENAME TO mailbox_before;
ALTER TABLE shared_parcel RENAME TO shared_parcel_before;

CREATE TEMPORARY TABLE shared_ids (seq, market, id, PRIMARY KEY (seq, market)) WITHOUT ROWID;
INSERT INTO shared_ids SELECT seq, market, random() FROM shared_parcel_before;

CREATE TEMPORARY TABLE numbers (device, seq, number, PRIMARY KEY (device, seq)) WITHOUT ROWID;
INSERT INTO numbers
SELECT device, seq, row_number() OVER (PARTITION BY device ORDER BY seq) FROM mailbox_before;

-- What waits for a device. Kept until the device acknowledges it, and overwritten within a minute;
-- what a removed device leaves is deleted at once, or by the purge that runs every ten minutes.
CREATE TABLE mailbox (
    device INTEGER NOT NULL,  -- the device it waits for, by its row number | until the device acknowledges the parcel, and a minute | producible: yes
    seq INTEGER NOT NULL,  -- place in the order of delivery to this device | until the device acknowledges the parcel, and a minute | producible: yes
    set_aside_day INTEGER,  -- Unix day on which the device said that it could not open it | until the device acknowledges the parcel, 30 days after that day, or until the device sets aside too much | producible: yes
    sealed BLOB,  -- the sealed parcel; empty when shared_parcel holds it | until the device acknowledges the parcel, and a minute | producible: yes
    market TEXT NOT NULL DEFAULT '',  -- whose key wraps the sealed bytes | until the device acknowledges the parcel, and a minute | producible: no
    shared INTEGER,  -- the id of the shared_parcel that holds it, empty when the row does | until the device acknowledges the parcel, and a minute | producible: no
    PRIMARY KEY (device, seq)
) STRICT, WITHOUT ROWID;

-- The sealed bytes of a parcel for several devices, stored once for each market.
CREATE TABLE shared_parcel (
    id INTEGER PRIMARY KEY,  -- random, named by the mailboxes in which it waits | until the last addressed device acknowledges it, and a minute | producible: no
    market TEXT NOT NULL,  -- whose key wraps the sealed bytes | until the last addressed device acknowledges it, and a minute | producible: no
    waiting INTEGER NOT NULL,  -- how many devices have not yet acknowledged it | until the last addressed device acknowledges it, and a minute | producible: yes
    sealed BLOB NOT NULL  -- the sealed parcel, wrapped | until the last addressed device acknowledges it, and a minute | producible: yes
) STRICT;

INSERT INTO shared_parcel (id, market, waiting, sealed)
SELECT id, market, waiting, sealed FROM shared_parcel_before JOIN shared_ids USING (seq, market);

INSERT INTO mailbox (device, seq, set_aside_day, sealed, market, shared)
SELECT device, number, set_aside_day, sealed, market,
    CASE WHEN sealed IS NULL THEN (
        SELECT id FROM shared_ids AS known
        WHERE known.seq = mailbox_before.seq AND known.market = mailbox_before.market
    ) END
FROM mailbox_before JOIN numbers USING (device, seq);

DROP TABLE mailbox_before;
DROP TABLE shared_parcel_before;
DROP TABLE parcel_sequence;
DROP TABLE shared_ids;
DROP TABLE numbers;

CREATE INDEX mailbox_unwrapped ON mailbox (device) WHERE market = '';
CREATE INDEX mailbox_undecryptable ON mailbox (device, seq) WHERE set_aside_day IS NOT NULL;
CREATE INDEX mailbox_undecryptable_by_day ON mailbox (set_aside_day)
    WHERE set_aside_day IS NOT NULL;

CREATE TRIGGER shared_parcel_released AFTER DELETE ON mailbox WHEN old.shared IS NOT NULL
BEGIN
    UPDATE shared_parcel SET waiting = waiting - 1 WHERE id = old.shared;
    DELETE FROM shared_parcel WHERE id = old.shared AND waiting <= 0;
END;
