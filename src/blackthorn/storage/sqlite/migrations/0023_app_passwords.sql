-- Passwords by which a user's mail programs log in to send mail. A device makes each; the server
-- never has one before it is used.
CREATE TABLE app_password (
    user INTEGER NOT NULL REFERENCES users (number),  -- whose it is | until it is revoked | producible: yes
    name TEXT NOT NULL,  -- which program it is for, in the user's words | until it is revoked | producible: yes
    salt BLOB NOT NULL,  -- 16 random bytes | until it is revoked | producible: no
    verifier BLOB NOT NULL,  -- Argon2id of the password and the salt | until it is revoked | producible: no
    created_ms INTEGER NOT NULL,  -- when it was made | until it is revoked | producible: yes
    used_day INTEGER NOT NULL,  -- the last Unix day on which it was used, 0: never | until it is revoked | producible: yes
    PRIMARY KEY (user, name)
) STRICT, WITHOUT ROWID;
