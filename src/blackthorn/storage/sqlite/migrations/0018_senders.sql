-- By whom what waits was sent, so that nobody fills a mailbox alone: 16 bits of an HMAC-SHA256 of the
-- sender's address, with a key of the mailbox that is made of the market's key and stored nowhere.
ALTER TABLE mailbox ADD COLUMN sender INTEGER NOT NULL DEFAULT 0;  -- 16 bits by which parcels of one sender in this mailbox are counted; 0 before this column | until the device acknowledges the parcel, and a minute | producible: no
