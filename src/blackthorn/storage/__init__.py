"""Storage: the server's SQLite engine, the device's encrypted database, folders of files.

Every stored column is classified in its migration. Errors say disk or damage. Never here:
decisions, the network, or keys that open what users have sealed.
"""
