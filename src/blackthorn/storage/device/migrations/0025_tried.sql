-- One more than the keys that did not open a mail, by which it is tried again once there are more; 0: it is open.
ALTER TABLE mail ADD COLUMN tried INTEGER NOT NULL DEFAULT 0;
