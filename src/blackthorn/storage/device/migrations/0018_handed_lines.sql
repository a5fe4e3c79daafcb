-- Lines that another of the user's devices handed on, and by what each line is known.
ALTER TABLE history ADD COLUMN device BLOB NOT NULL DEFAULT x'';
ALTER TABLE history ADD COLUMN count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE history ADD COLUMN handed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE history ADD COLUMN before INTEGER NOT NULL DEFAULT 0;
ALTER TABLE gap ADD COLUMN own_asked INTEGER NOT NULL DEFAULT 0;

CREATE INDEX history_before ON history (before, number) WHERE before != 0;
