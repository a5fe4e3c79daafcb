"""Databases that end with the test: no file, one connection."""

import apsw

from blackthorn.storage.device import vault
from blackthorn.storage.sqlite import database, schema


def memory_database() -> database.Database:
    """A server's database, whose connections are all one."""
    connection = database.connect(":memory:")
    schema.migrate(connection, database.migrations())
    return database.Database(connection, connection, connection)


def memory_vault() -> vault.Vault:
    """A device's database, not encrypted."""
    connection = apsw.Connection(":memory:")
    vault.prepare(connection, create=True)
    return vault.Vault(connection)
