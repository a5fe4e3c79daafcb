"""`blackthorn ledger init`: give the folder of an earlier version its ledger, once.

A folder whose database holds a ledger has lost its keys, and new ones would be another log
under the same name: that is refused.
"""

from contextlib import closing
from pathlib import Path

from blackthorn.errors import UserError, system_error
from blackthorn.ports.ledger import ReadCheckpoints
from blackthorn.programs.server import configuration
from blackthorn.storage.files import ledger
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.engine import host_store


def make_ledger(path: Path, environment: dict[str, str]) -> str:
    """Make the files; the log's public key. Raises UserError, StorageError."""
    folder = ServerFolder(path)
    settings = configuration.load(path, environment)
    if folder.ledger.keys.exists():
        raise UserError(f"{folder.ledger.keys} is there already: nothing was changed")
    folder.lock()
    with closing(folder.open_database()) as database:
        if host_store(database).read(ReadCheckpoints()):
            raise UserError(
                f"{folder.ledger.keys} is missing, and the database holds the ledger that it "
                "belongs to: restore it from a backup"
            )
    embedded = settings.ledger.witness == "embedded"
    with system_error(UserError, f"{path} cannot be written"):
        keys = ledger.initialise(path, settings.enterprise.domain, embedded=embedded)
    return keys.log_vkey
