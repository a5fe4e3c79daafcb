-- Mail that the person writes: drafts, mail on its way, and what became of it. Bytes are in pieces:
-- copy 0 is the text with its attachments, the others are sealed copies, which wait to be sent.
CREATE TABLE letter (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    standing TEXT NOT NULL,
    changed_ms INTEGER NOT NULL,
    head BLOB NOT NULL,
    why TEXT NOT NULL
) STRICT;

CREATE TABLE letter_piece (
    letter INTEGER NOT NULL REFERENCES letter (number) ON DELETE CASCADE,
    copy INTEGER NOT NULL,
    place INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (letter, copy, place)
) STRICT;
