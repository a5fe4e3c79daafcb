-- When a past epoch ended here (NULL: not past), and the bytes of its message keys then (0: none kept).
ALTER TABLE epoch ADD COLUMN ended_ms INTEGER;
ALTER TABLE epoch ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
