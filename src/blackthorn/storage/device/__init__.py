"""A device's store (`ports.device_store`): one encrypted SQLite database and a file to unlock it.

`vault` holds connection and transactions, `unlock` makes its key of a passphrase or a key file; the
other modules are the tables. It stores opaque bytes: what an MLS state or an operation means, only
`device/` knows.
"""
