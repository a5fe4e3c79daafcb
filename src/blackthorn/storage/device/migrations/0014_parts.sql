-- Parts of what is larger than a parcel, until all of them are here.
CREATE TABLE parcel_part (
    kind TEXT NOT NULL,
    name BLOB NOT NULL,
    place INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, name, place)
) STRICT;
