-- Key packages by age: the one that expires last is handed out first, and none that has expired.

ALTER TABLE key_package ADD COLUMN not_after INTEGER NOT NULL DEFAULT 0;  -- the last Unix day on which it is handed out; 0: any | as the package | producible: yes

DROP INDEX key_package_of_device;

CREATE INDEX key_package_of_device ON key_package (device, last_resort, not_after DESC);
