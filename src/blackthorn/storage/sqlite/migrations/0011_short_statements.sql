-- Statements that stay short: expired codes have an index, and a closure's statement has parts.

CREATE INDEX activations_by_expiry ON activations (expires_ms);

-- The public statement of a closure, which names nobody, in parts of at most 256 KiB.
CREATE TABLE closure_statement (
    exit_id TEXT NOT NULL,  -- the exit | for the life of the server, or until the closure is given up | producible: no
    number INTEGER NOT NULL,  -- the part's place | for the life of the server, or until the closure is given up | producible: no
    part BLOB NOT NULL,  -- a part of the public statement | for the life of the server, or until the closure is given up | producible: no
    PRIMARY KEY (exit_id, number)
) STRICT, WITHOUT ROWID;

INSERT INTO closure_statement (exit_id, number, part)
SELECT exit_id, 0, statement FROM closure WHERE statement IS NOT NULL;

UPDATE closure SET statement = NULL;
