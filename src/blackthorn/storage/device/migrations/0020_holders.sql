-- Whose a parcel is that could not be opened: the device, user or conversation that it names, or nobody's.
ALTER TABLE set_aside_parcel ADD COLUMN holder BLOB NOT NULL DEFAULT x'';
