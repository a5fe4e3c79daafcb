-- When the server named a Commit as accepted, and whether it was given up: nobody has it, or it fails.
ALTER TABLE commit_order ADD COLUMN told_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE commit_order ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;
