"""A directive's package on disk: made, finished, and sealed for the authority.

`governance.directives` decides whether it may be made. Rows are read in one transaction, and a file
appears whole and durable or not at all.
"""

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import apsw

from blackthorn.crypto.openpgp_seal import parse_certificate, seal_file
from blackthorn.crypto.secret import Secret
from blackthorn.errors import DamageError, DiskError, UserError, system_error
from blackthorn.governance.package import build, layout, tar
from blackthorn.governance.package import build as package
from blackthorn.storage.files import atomic
from blackthorn.storage.sqlite.database import BUSY_MILLISECONDS
from blackthorn.storage.sqlite.failure import failure_of
from blackthorn.storage.sqlite.stores.production import SqliteProduction
from blackthorn.storage.sqlite.transaction import Transaction
from blackthorn.storage.sqlite.wrapping import Wrapping

_LAST: Final = "verify.py"
"""The last file of what `build` writes, by its sorted names."""


@contextmanager
def frozen_rows(database: Path, wrapping: Wrapping) -> Iterator[build.ProductionRows]:
    """The database's rows as of now, unwrapped, read-only. Raises StorageError."""
    try:
        connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.Error as error:
        raise DiskError(f"{database}: {failure_of(error)}") from error
    with closing(connection):
        try:
            connection.set_busy_timeout(BUSY_MILLISECONDS)
            connection.execute("PRAGMA temp_store = MEMORY").fetchall()
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM users LIMIT 1").fetchall()  # now they stand still
        except apsw.Error as error:
            raise failure_of(error) from error
        yield SqliteProduction(Transaction(connection, wrapping))


def produce(
    case: build.ProductionCase, rows: build.ProductionRows, path: Path
) -> build.BuiltPackage:
    """Write the package durably to the new file `path` (0600).

    Raises StorageError when the disk is full or a row changed, LimitError when it is too large,
    UserError for an existing file; no file is left then.
    """
    with system_error(DiskError, f"{path} cannot be written"):
        try:
            with atomic.new_file(path) as file:
                return package.build(case, rows, lambda piece: _write(file, piece))
        except FileExistsError:
            raise UserError(f"{path} exists already: move it away first") from None


def finish(
    case: build.ProductionCase, path: Path, origin: str, seed: Secret, proof: build.LedgerProof
) -> None:
    """Append signature and proof to the package in `path`; idempotent.

    `seed` is the register's 32-byte key, `origin` the log's. Raises StorageError, also when the
    file is not this case's package.
    """
    with system_error(DiskError, f"{path} cannot be finished"), atomic.existing_file(path) as file:
        end, manifest_hash = _end(file)
        signature = package.sign(origin, seed, case.id, manifest_hash)
        vkey = str(package.register_key(origin, seed))
        file.seek(end)
        file.write(package.finish(case, signature, vkey, proof))
        file.truncate()


def seal_package(path: Path, certificate: bytes, now: int) -> Path:
    """The package sealed to the authority's OpenPGP certificate (binary), beside it as `.pgp`.

    Streamed, so that memory does not grow with it. `now` is Unix seconds. Raises CertificateError,
    UserError for an existing file, StorageError.
    """
    target = path.with_name(path.name + ".pgp")
    if target.exists():
        raise UserError(f"{target} exists already: move it away first")
    recipient = parse_certificate(certificate)
    partial = path.with_name(path.name + ".pgp.new")
    partial.unlink(missing_ok=True)
    with system_error(DiskError, f"{target} cannot be written"):
        try:
            with atomic.new_file(partial):  # the library writes to it by name
                seal_file(str(path), str(partial), recipient, now=now)
            atomic.rename(partial, target)
        finally:
            partial.unlink(missing_ok=True)
    return target


def _write(file: BinaryIO, piece: bytes) -> None:
    file.write(piece)


def _end(file: BinaryIO) -> tuple[int, bytes]:
    """Position of the end marker before it was finished, and the manifest hash."""
    root = b""
    for found in tar.read_tar(file.read):
        data = hashlib.sha256()
        for piece in found.pieces:
            data.update(piece)
        if found.name == layout.TAG_MANIFEST:
            root = data.digest()
        if found.name == _LAST and root:
            return file.tell() + len(tar.padding(found.size)), root
    raise DamageError("the file is not a complete package")
