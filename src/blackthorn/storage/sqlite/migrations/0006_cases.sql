-- Decisions of officers: about directives, exits, officers and what was never done. Each stands in
-- the ledger as a commitment at once, and is revealed there when the law allows.

-- Decisions that were taken, in their order.
CREATE TABLE decision (
    number INTEGER PRIMARY KEY,  -- order in which decisions were taken | for the life of the server | producible: no
    case_id TEXT NOT NULL,  -- directive, exit, or the officers' own case | for the life of the server | producible: no
    seq INTEGER NOT NULL,  -- place in the case | for the life of the server | producible: no
    signed BLOB NOT NULL,  -- the statement and its approvers' signatures | for the life of the server | producible: no
    private BLOB NOT NULL,  -- account names, case number and contacts, behind a salt | for the life of the server | producible: no
    salt BLOB NOT NULL,  -- 32 random bytes of the ledger's commitment | for the life of the server | producible: no
    taken_ms INTEGER NOT NULL,  -- when it was taken | for the life of the server | producible: no
    sealed INTEGER NOT NULL,  -- 1 while the ledger only commits to it | for the life of the server | producible: no
    UNIQUE (case_id, seq)
) STRICT;

-- Decisions that still lack an approver; one a case.
CREATE TABLE decision_pending (
    case_id TEXT PRIMARY KEY,  -- the case | until it is decided or replaced | producible: no
    signed BLOB NOT NULL,  -- the statement and its approvals so far | until it is decided or replaced | producible: no
    private BLOB NOT NULL,  -- its private part | until it is decided or replaced | producible: no
    since_ms INTEGER NOT NULL  -- when it was proposed | until it is decided or replaced | producible: no
) STRICT, WITHOUT ROWID;

-- Who may found the officers, named once on the server's host.
CREATE TABLE founder (
    user INTEGER PRIMARY KEY REFERENCES users (number)  -- one of two users | until the officers are founded | producible: no
) STRICT;

CREATE INDEX ledger_entry_decisions ON ledger_entry (place)
    WHERE substr(entry, 1, 1) IN (x'12', x'13', x'15');
