"""`blackthorn ledger init`: give the folder of an earlier version its ledger, once.

A folder whose database holds a ledger has lost its keys, and new ones would be another log
under the same name: that is refused.
"""

from contextlib import closing
from pathlib import Path

from blackthorn.errors import UserError
from blackthorn.programs.server import ledger_files
from blackthorn.programs.server.folder import ServerDirectory
from blackthorn.storage.sqlite.stores.ledger import SqliteLedger


def make_ledger(path: Path, environment: dict[str, str]) -> str:
    """Make the files; the log's public key. Raises UserError, StorageError."""
    directory = ServerDirectory(path)
    settings = directory.load(environment)
    if directory.ledger.keys.exists():
        raise UserError(f"{directory.ledger.keys} is there already: nothing was changed")
    directory.lock()
    with closing(directory.open_database()) as database:
        if SqliteLedger(database.reading).checkpoints():
            raise UserError(
                f"{directory.ledger.keys} is missing, and the database holds the ledger that it "
                "belongs to: restore it from a backup"
            )
    embedded = settings.ledger.witness == "embedded"
    try:
        keys = ledger_files.initialise(path, settings.enterprise.domain, embedded=embedded)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None
    return keys.log_vkey
