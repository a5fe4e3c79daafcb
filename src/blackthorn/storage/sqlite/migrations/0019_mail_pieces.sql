-- Large mail is written in pieces, each in a transaction of its own, so that messages are not kept
-- waiting. A mail is there only with its row in `mail`, which is written last.

-- The piece that begins at byte `start` of a mail, wrapped by itself.
CREATE TABLE mail_piece (
    user INTEGER NOT NULL REFERENCES users (number),  -- whose mail it is | until the user removes the mail | producible: yes
    mail INTEGER NOT NULL,  -- a random number, which the mail's row names | until the user removes the mail | producible: no
    start INTEGER NOT NULL,  -- bytes of the mail before this piece | until the user removes the mail | producible: no
    market TEXT NOT NULL,  -- whose key wraps the sealed bytes | until the user removes the mail | producible: no
    sealed BLOB NOT NULL,  -- part of a mail sealed to the user's OpenPGP certificate | until the user removes the mail | producible: yes
    UNIQUE (user, mail, start)
) STRICT;

-- Mails whose pieces are being written. One that the server did not finish is deleted at its next
-- start, or by the purge that runs every ten minutes.
CREATE TABLE mail_begun (
    id INTEGER PRIMARY KEY,  -- the random number of the mail | until the mail is stored or given up | producible: no
    user INTEGER NOT NULL  -- for whom the mail came | until the mail is stored or given up | producible: no
) STRICT;

ALTER TABLE mail ADD COLUMN pieces INTEGER;  -- the number by which its pieces are found; empty when the row holds the mail | until the user removes the mail | producible: no
