-- Where users stand in the map of the ledger, so that a device sees whose entries have changed.
ALTER TABLE chain ADD COLUMN place BLOB NOT NULL DEFAULT x'';
