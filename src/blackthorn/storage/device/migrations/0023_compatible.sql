-- A colleague's certificate for other programs, if mail is to be sealed to it as well; else empty.
ALTER TABLE chain ADD COLUMN compatible BLOB NOT NULL DEFAULT x'';
