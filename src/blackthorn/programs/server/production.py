"""A directive's package on disk: made, finished, and sealed for the authority.

Whether it may be made now is decided elsewhere (`governance.directives`). Here the rows stand
still in one read transaction, and a file appears whole and durable or not at all.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import apsw

from blackthorn.crypto.openpgp_seal import parse_certificate, seal_file
from blackthorn.crypto.secret import Secret
from blackthorn.errors import StorageError, UserError
from blackthorn.governance.package import build as bag
from blackthorn.governance.package import layout, tar
from blackthorn.governance.package.build import (
    BuiltPackage,
    LedgerProof,
    ProductionCase,
    ProductionRows,
)
from blackthorn.ports.mail import MailStore
from blackthorn.ports.parcels import ParcelStore
from blackthorn.storage.sqlite.database import BUSY_MILLISECONDS, Connection
from blackthorn.storage.sqlite.failure import failure_of
from blackthorn.storage.sqlite.stores.production import SqliteProduction

Stores = Callable[[Connection], tuple[MailStore, ParcelStore]]
"""The stores of mail and parcels over a connection, which take off the market's layer."""

_LAST: Final = "verify.py"
"""The last file of what `build` writes, by its sorted names."""


@contextmanager
def frozen_rows(database: Path, stores: Stores) -> Iterator[ProductionRows]:
    """The rows of the database as of now, whatever a server writes meanwhile. Never writes.

    Raises StorageError.
    """
    try:
        connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.Error as error:
        raise StorageError(f"{database}: {failure_of(error)}") from error
    with closing(connection):
        try:
            connection.set_busy_timeout(BUSY_MILLISECONDS)
            connection.execute("PRAGMA temp_store = MEMORY").fetchall()
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM users LIMIT 1").fetchall()  # now they stand still
        except apsw.Error as error:
            raise failure_of(error) from error
        yield SqliteProduction(connection, *stores(connection))


def produce(case: ProductionCase, rows: ProductionRows, path: Path) -> BuiltPackage:
    """Write the bag to the new file `path` (0600), durable before this returns.

    Raises StorageError when the disk is full or a row changed, LimitError when it is too large,
    UserError when there is such a file; whatever it raises, no file is left.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UserError(f"{path} is there already: move it away first") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            built = bag.build(case, rows, lambda piece: _write(file, piece))
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        path.unlink()
        raise StorageError(f"{path} cannot be written: {error.strerror}") from None
    except BaseException:
        path.unlink()
        raise
    return built


def finish(case: ProductionCase, path: Path, origin: str, seed: Secret, proof: LedgerProof) -> None:
    """Put signature and proof behind the bag in `path`; done again it does the same.

    `seed` is the register's 32-byte key, `origin` the log's. Raises StorageError, also when the
    file is no package of this case.
    """
    try:
        with path.open("r+b") as file:
            end, manifest_hash = _end(file)
            signature = bag.sign(origin, seed, case.id, manifest_hash)
            vkey = str(bag.register_key(origin, seed))
            file.seek(end)
            file.write(bag.finish(case, signature, vkey, proof))
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageError(f"{path} cannot be finished: {error.strerror}") from None


def seal_package(path: Path, certificate: bytes, now: int) -> Path:
    """The package sealed to the authority's OpenPGP certificate (binary), beside it as `.pgp`.

    It is streamed: memory does not grow with the package. `now` is Unix seconds. Raises
    CertificateError and its kin, UserError when there is such a file, StorageError.
    """
    target = path.with_name(path.name + ".pgp")
    if target.exists():
        raise UserError(f"{target} is there already: move it away first")
    recipient = parse_certificate(certificate)
    partial = path.with_name(path.name + ".pgp.new")
    partial.unlink(missing_ok=True)
    try:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            seal_file(str(path), str(partial), recipient, now=now)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        partial.rename(target)
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)
    return target


def _write(file: BinaryIO, piece: bytes) -> None:
    file.write(piece)


def _end(file: BinaryIO) -> tuple[int, bytes]:
    """Where the end marker stands or stood before it was finished, and the manifest hash."""
    root = b""
    for found in tar.read_tar(file.read):
        data = hashlib.sha256()
        for piece in found.pieces:
            data.update(piece)
        if found.name == layout.TAG_MANIFEST:
            root = data.digest()
        if found.name == _LAST and root:
            return file.tell() + len(tar.padding(found.size)), root
    raise StorageError("the file is no package that was made to its end")
