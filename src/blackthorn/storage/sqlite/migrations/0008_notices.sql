-- Who was told what: each person once of each notice, whatever ends the process in between.

-- One row for each notice and person, written in the transaction that leaves the mail.
CREATE TABLE case_notice (
    case_id TEXT NOT NULL,  -- the exit or directive that the notice is about | until the user is removed | producible: no
    seq INTEGER NOT NULL,  -- the step of an exit that is told of, 0 for a directive | until the user is removed | producible: no
    user INTEGER NOT NULL REFERENCES users (number),  -- who was told | until the user is removed | producible: no
    sent_ms INTEGER,  -- when the mail was left, NULL when there was none | until the user is removed | producible: no
    read_ms INTEGER,  -- when a device told that the notice was read | until the user is removed | producible: no
    PRIMARY KEY (case_id, seq, user)
) STRICT, WITHOUT ROWID;

CREATE INDEX case_notice_by_user ON case_notice (user, case_id);
