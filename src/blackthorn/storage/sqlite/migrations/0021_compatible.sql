-- OpenPGP certificates for mail programs without RFC 9580, *not post-quantum*, of users who have
-- made one. A row with an empty certificate ends the one before it.
CREATE TABLE compatible_certificate (
    user INTEGER NOT NULL REFERENCES users (number),  -- whose it is | until a newer row is published | producible: yes
    seq INTEGER NOT NULL,  -- place in the chain of the statement that names or ends it | until a newer row is published | producible: yes
    certificate BLOB NOT NULL,  -- the certificate: public keys and the user's address; empty: ended | until a newer row is published | producible: yes
    copies INTEGER NOT NULL,  -- whether mail is sealed to it as well, since a program reads it | until a newer row is published | producible: yes
    UNIQUE (user, seq)
) STRICT;

ALTER TABLE mail ADD COLUMN compatible INTEGER NOT NULL DEFAULT 0;  -- 1 for the copy that is sealed to the certificate for other programs | until the user removes the mail | producible: yes
