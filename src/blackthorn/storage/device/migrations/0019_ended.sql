-- When the cause of an alarm ended, and why a text of this device was not sent.
ALTER TABLE alarm ADD COLUMN ended_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE history ADD COLUMN why TEXT NOT NULL DEFAULT '';
