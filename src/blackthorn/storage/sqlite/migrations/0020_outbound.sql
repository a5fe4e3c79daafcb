-- Mail that leaves: sealed before it came here, and kept until every recipient's server, or
-- mailbox here, has taken it or it was given up.

-- One sealed mail on its way out.
CREATE TABLE outbound_mail (
    id INTEGER PRIMARY KEY,  -- a random number that names it in replies and commands | until it is delivered or given up, at most 5 days by default | producible: yes
    user INTEGER NOT NULL REFERENCES users (number),  -- who sends it | until it is delivered or given up, at most 5 days by default | producible: yes
    queued_ms INTEGER NOT NULL,  -- Unix time in milliseconds at which it was accepted | until it is delivered or given up, at most 5 days by default | producible: yes
    size INTEGER NOT NULL,  -- bytes of the sealed mail | until it is delivered or given up, at most 5 days by default | producible: yes
    dropped INTEGER NOT NULL DEFAULT 0,  -- 1 when the administrator has given it up | until it is delivered or given up, at most 5 days by default | producible: no
    market TEXT NOT NULL,  -- whose key wraps the sealed bytes and the envelopes | until it is delivered or given up, at most 5 days by default | producible: no
    pieces INTEGER,  -- the number by which its pieces are found; empty when the row holds the mail | until it is delivered or given up, at most 5 days by default | producible: no
    sealed BLOB NOT NULL  -- the mail, sealed on the sender's device; its outer fields name the sender and recipients | until it is delivered or given up, at most 5 days by default | producible: yes
) STRICT;

CREATE INDEX outbound_mail_of_user ON outbound_mail (user, market);
CREATE INDEX outbound_mail_by_age ON outbound_mail (queued_ms);

-- What is left to do of an outbound mail for the recipients of one domain.
CREATE TABLE outbound_delivery (
    number INTEGER PRIMARY KEY,  -- row number | until these recipients have it or were given up | producible: no
    mail INTEGER NOT NULL REFERENCES outbound_mail (id),  -- which mail | until these recipients have it or were given up | producible: yes
    domain TEXT NOT NULL,  -- the recipients' mail domain | until these recipients have it or were given up | producible: yes
    tries INTEGER NOT NULL,  -- attempts so far | until these recipients have it or were given up | producible: no
    next_ms INTEGER NOT NULL,  -- Unix time in milliseconds of the next attempt; 0: at once | until these recipients have it or were given up | producible: no
    warned INTEGER NOT NULL,  -- 1 once the sender was told of the delay | until these recipients have it or were given up | producible: no
    envelope BLOB NOT NULL  -- addresses of the sender and of the recipients who do not have it yet, wrapped | until these recipients have it or were given up | producible: yes
) STRICT;

CREATE INDEX outbound_delivery_due ON outbound_delivery (domain, next_ms);
CREATE INDEX outbound_delivery_of_mail ON outbound_delivery (mail);

-- By which token a device submitted a mail, so that one sent again for a lost answer is one mail.
CREATE TABLE submission (
    user INTEGER NOT NULL REFERENCES users (number),  -- who sent it | 7 days | producible: yes
    token BLOB NOT NULL,  -- 16 random bytes of the device | 7 days | producible: no
    day INTEGER NOT NULL,  -- Unix day, so that it can be deleted in time | 7 days | producible: yes
    mail INTEGER NOT NULL,  -- the mail's id | 7 days | producible: no
    PRIMARY KEY (user, token)
) STRICT, WITHOUT ROWID;

CREATE INDEX submission_by_day ON submission (day);
