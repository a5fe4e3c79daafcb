-- Changes of members that are not trusted yet, and devices that are no longer their user's.
ALTER TABLE chain ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE set_aside_parcel ADD COLUMN moment INTEGER NOT NULL DEFAULT 0;
ALTER TABLE history ADD COLUMN mark TEXT NOT NULL DEFAULT '';

CREATE TABLE noted (
    conversation BLOB PRIMARY KEY REFERENCES conversation (id) ON DELETE CASCADE,
    notes BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE former_device (
    device BLOB PRIMARY KEY,
    cut INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE removed_leaf (
    conversation BLOB NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    device BLOB NOT NULL,
    address TEXT NOT NULL,
    leaf INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    PRIMARY KEY (conversation, device)
) STRICT, WITHOUT ROWID;
