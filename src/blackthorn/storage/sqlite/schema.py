"""Schema migrations: the numbered SQL files of a package, each in its own transaction."""

from importlib import resources

import apsw

from blackthorn.errors import DamageError
from blackthorn.storage.sqlite.failure import immediate

Migrations = list[tuple[int, str]]
"""Numbers and SQL, in order; `user_version` is the number of the last one applied."""


def migrations(package: str) -> Migrations:
    """Those in the package's folder `migrations`."""
    folder = resources.files(package).joinpath("migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=str)
    return [(int(file.name.split("_")[0]), file.read_text(encoding="utf-8")) for file in files]


def migrate(connection: apsw.Connection, known: Migrations) -> None:
    """Bring the schema up to date. Raises StorageError.

    DamageError: a newer program, or one older than the first migration, wrote the database.
    """
    first, newest = known[0][0], known[-1][0]
    while connection.pragma("user_version") != newest:
        with immediate(connection):
            version = connection.pragma("user_version")
            if version > newest or 0 < version < first:
                age = "a newer" if version > newest else "an older"
                raise DamageError(
                    f"the database has version {version}, made by {age} blackthorn; this one "
                    f"knows {first} to {newest}: use the program that made it, or one between"
                )
            for number, sql in known:
                if number > version:
                    connection.execute(sql).fetchall()
                    connection.pragma("user_version", number)
                    break
