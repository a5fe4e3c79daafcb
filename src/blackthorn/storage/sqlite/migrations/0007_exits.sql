-- What the people of a market that is left have done, and how far the market's closure has come.
-- A closure goes on after any end of the process from what stands here.

-- What each person of a market that is left was told and has done; a move away stands here too.
CREATE TABLE exit_person (
    exit_id TEXT NOT NULL,  -- the exit, such as X-PK-1 | until forwarding ends, or would have ended | producible: no
    user INTEGER NOT NULL REFERENCES users (number),  -- whom it concerns | until forwarding ends, or would have ended | producible: no
    notified_ms INTEGER,  -- when the first notice was left for the person | until forwarding ends, or would have ended | producible: no
    read_ms INTEGER,  -- when a device told that the notice was read | until forwarding ends, or would have ended | producible: no
    exported_ms INTEGER,  -- when a device told that an export was made and checked | until forwarding ends, or would have ended | producible: no
    moved_ms INTEGER,  -- when the person's move to another market or server was done | until forwarding ends, or would have ended | producible: no
    forward TEXT,  -- the address that mail is to be sent to instead, as the person chose | until forwarding ends, or would have ended | producible: no
    unreachable INTEGER NOT NULL DEFAULT 0,  -- 1 when nobody could be told | until forwarding ends, or would have ended | producible: no
    PRIMARY KEY (exit_id, user)
) STRICT, WITHOUT ROWID;

CREATE INDEX exit_person_by_user ON exit_person (user);

-- One row for each market whose closure was prepared: counts, and the step that comes next.
CREATE TABLE closure (
    exit_id TEXT PRIMARY KEY,  -- the exit, such as X-PK-1 | for the life of the server, or until the closure is given up | producible: no
    market TEXT NOT NULL,  -- the market that is closed | for the life of the server, or until the closure is given up | producible: no
    phase TEXT NOT NULL,  -- the step that comes next | for the life of the server, or until the closure is given up | producible: no
    cursor INTEGER NOT NULL DEFAULT 0,  -- the user's number behind which the step goes on | for the life of the server, or until the closure is given up | producible: no
    begun_ms INTEGER NOT NULL,  -- when receipts began to be made | for the life of the server, or until the closure is given up | producible: no
    users INTEGER NOT NULL DEFAULT 0,  -- persons with a receipt | for the life of the server, or until the closure is given up | producible: no
    notified INTEGER NOT NULL DEFAULT 0,  -- of them, who was notified | for the life of the server, or until the closure is given up | producible: no
    read INTEGER NOT NULL DEFAULT 0,  -- of them, who read the notice | for the life of the server, or until the closure is given up | producible: no
    exported INTEGER NOT NULL DEFAULT 0,  -- of them, who exported | for the life of the server, or until the closure is given up | producible: no
    moved INTEGER NOT NULL DEFAULT 0,  -- of them, who moved | for the life of the server, or until the closure is given up | producible: no
    forwarded INTEGER NOT NULL DEFAULT 0,  -- of them, who chose an address | for the life of the server, or until the closure is given up | producible: no
    unreachable INTEGER NOT NULL DEFAULT 0,  -- of them, who could not be told | for the life of the server, or until the closure is given up | producible: no
    root BLOB,  -- the root of the tree of receipts | for the life of the server, or until the closure is given up | producible: no
    fingerprint BLOB NOT NULL,  -- of the key that is destroyed | for the life of the server, or until the closure is given up | producible: no
    mails INTEGER NOT NULL DEFAULT 0,  -- sealed mails deleted so far | for the life of the server, or until the closure is given up | producible: no
    parcels INTEGER NOT NULL DEFAULT 0,  -- waiting parcels deleted so far | for the life of the server, or until the closure is given up | producible: no
    destroyed_ms INTEGER,  -- when the key was destroyed | for the life of the server, or until the closure is given up | producible: no
    statement BLOB  -- empty since the public statement lies in closure_statement | for the life of the server, or until the closure is given up | producible: no
) STRICT, WITHOUT ROWID;

-- Each person's receipt of a closure; only hashes of them are published.
CREATE TABLE closure_receipt (
    exit_id TEXT NOT NULL,  -- the exit | until forwarding ends, or the closure is given up | producible: no
    place INTEGER NOT NULL,  -- the receipt's place in the tree | until forwarding ends, or the closure is given up | producible: no
    user INTEGER NOT NULL REFERENCES users (number),  -- whose receipt it is | until forwarding ends, or the closure is given up | producible: no
    receipt BLOB NOT NULL,  -- the receipt with its salt, for the person alone | until forwarding ends, or the closure is given up | producible: no
    leaf BLOB NOT NULL,  -- 32 bytes: its hash in the tree | until forwarding ends, or the closure is given up | producible: no
    PRIMARY KEY (exit_id, place)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX closure_receipt_by_user ON closure_receipt (user, exit_id);

-- A few wrapped mails, kept after the others are deleted; the statement shows them.
CREATE TABLE closure_sample (
    exit_id TEXT NOT NULL,  -- the exit | for the life of the server, or until the closure is given up | producible: no
    number INTEGER NOT NULL,  -- which of them | for the life of the server, or until the closure is given up | producible: no
    wrapped BLOB NOT NULL,  -- a sealed mail's bytes under the market's key, kept to show that nothing opens them | for the life of the server, or until the closure is given up | producible: no
    PRIMARY KEY (exit_id, number)
) STRICT, WITHOUT ROWID;
