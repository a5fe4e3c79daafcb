-- The marker in a full mailbox: that Commits came which it could not take, so that nobody keeps a
-- change from being made by a full mailbox. One a device.
CREATE TABLE missed_commit (
    device INTEGER PRIMARY KEY,  -- the device whose mailbox was full, by its row number | until the device has read it | producible: yes
    count INTEGER NOT NULL,  -- Commits that came since the device has read the marker | until the device has read it | producible: yes
    digests BLOB NOT NULL  -- the first 8 bytes of the SHA-256 of the newest 64 of them, as they were sealed | until the device has read it | producible: yes
) STRICT;
