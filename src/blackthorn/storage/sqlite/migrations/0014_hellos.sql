-- Each device's newest hello, which it gets back at its next one: so two copies of its vault notice each other.
CREATE TABLE device_hello (
    device INTEGER PRIMARY KEY REFERENCES devices (number) ON DELETE CASCADE,  -- whose hello it is | until the device is removed | producible: no
    number INTEGER NOT NULL,  -- how often it has said hello, as it counts | until the device is removed | producible: yes
    hello BLOB NOT NULL       -- hash of the connection's binding, number, hash of the hello before, signature | until the device is removed | producible: yes
) STRICT;
