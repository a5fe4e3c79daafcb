-- Other names of the domain, for mail from outside: aliases of one user, lists of several.
CREATE TABLE alias (
    name TEXT NOT NULL,  -- the part before the @, lower case; * stands for every unknown name | until the administrator removes it | producible: yes
    user INTEGER NOT NULL REFERENCES users (number),  -- who gets the mail | until the administrator removes it | producible: yes
    kind TEXT NOT NULL,  -- alias or list | until the administrator removes it | producible: yes
    PRIMARY KEY (name, user)
) STRICT, WITHOUT ROWID;

-- What became of mail from outside, by the id in its reply. No address of anybody.
CREATE TABLE mail_trace (
    id TEXT PRIMARY KEY,  -- the id in the reply and in Received | two weeks | producible: no
    received_ms INTEGER NOT NULL,  -- Unix time in milliseconds when its data had come | two weeks | producible: no
    done_ms INTEGER NOT NULL,  -- Unix time in milliseconds of the reply | two weeks | producible: no
    size INTEGER NOT NULL,  -- its bytes | two weeks | producible: no
    copies INTEGER NOT NULL,  -- how many users it was sealed for and stored | two weeks | producible: no
    tls INTEGER NOT NULL,  -- 1 if it came over TLS | two weeks | producible: no
    verdict TEXT NOT NULL,  -- results of SPF, DKIM, ARC and DMARC, without names | two weeks | producible: no
    place TEXT NOT NULL,  -- inbox or junk | two weeks | producible: no
    reply TEXT NOT NULL  -- code and status of the reply, without its text | two weeks | producible: no
) STRICT, WITHOUT ROWID;

CREATE INDEX mail_trace_by_time ON mail_trace (received_ms);
