-- How domains elsewhere ask for verified TLS (MTA-STS, RFC 8461). Policies are public; a row says
-- that somebody here has written to the domain.
CREATE TABLE sts_policy (
    domain TEXT PRIMARY KEY,  -- a mail domain elsewhere | as long as its policy says, at most a year | producible: no
    id TEXT NOT NULL,  -- the policy's own name, by which a change is seen | as long as its policy says, at most a year | producible: no
    until_ms INTEGER NOT NULL,  -- Unix time in milliseconds until which it holds | as long as its policy says, at most a year | producible: no
    mode TEXT NOT NULL,  -- enforce, testing or none | as long as its policy says, at most a year | producible: no
    servers TEXT NOT NULL  -- names of mail servers, with spaces between | as long as its policy says, at most a year | producible: no
) STRICT, WITHOUT ROWID;
