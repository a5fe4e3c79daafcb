"""A device's store (`ports.device_store`): one encrypted SQLite database and a file to unlock it.

`vault` has connection and transactions, `unlock` derives its key from a passphrase or key file; the
other modules are the tables. Only `device/` knows what the stored bytes mean.
"""
