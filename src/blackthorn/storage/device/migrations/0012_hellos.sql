-- What this vault has said hello with: the server shows each hello before at the next one.
CREATE TABLE hello (
    number INTEGER NOT NULL,
    digest BLOB NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (number, digest)
) STRICT, WITHOUT ROWID;
