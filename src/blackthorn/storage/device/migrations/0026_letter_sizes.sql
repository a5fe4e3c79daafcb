-- The bytes of each copy of a mail that the person writes, by which the loss of its last piece is seen.
CREATE TABLE letter_copy (
    letter INTEGER NOT NULL REFERENCES letter (number) ON DELETE CASCADE,
    copy INTEGER NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (letter, copy)
) STRICT;
INSERT INTO letter_copy SELECT letter, copy, sum(length(data)) FROM letter_piece GROUP BY letter, copy;
