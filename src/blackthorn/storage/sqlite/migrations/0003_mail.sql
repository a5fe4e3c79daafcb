-- Mail that waits on the server, sealed to its owner before it was written here. The sealed
-- bytes' outer fields name the owner and the time; the writer and the subject are inside.

-- The last uid given out in each user's mailbox, so that none comes twice.
CREATE TABLE mail_uid (
    user INTEGER PRIMARY KEY REFERENCES users (number),  -- whose mailbox | until the user is removed | producible: yes
    last INTEGER NOT NULL  -- the uid of the newest mail that ever was in it | until the user is removed | producible: yes
) STRICT;

-- One sealed mail.
CREATE TABLE mail (
    user INTEGER NOT NULL REFERENCES users (number),  -- whose mail it is | until the user removes the mail | producible: yes
    uid INTEGER NOT NULL,  -- its number in the user's mailbox, rising | until the user removes the mail | producible: yes
    received_ms INTEGER NOT NULL,  -- Unix time in milliseconds at which it came | until the user removes the mail | producible: yes
    size INTEGER NOT NULL,  -- bytes of the sealed mail | until the user removes the mail | producible: yes
    sealed BLOB NOT NULL,  -- the mail, sealed to the user's OpenPGP certificate | until the user removes the mail | producible: yes
    UNIQUE (user, uid)
) STRICT;
