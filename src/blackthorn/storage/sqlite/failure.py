"""SQLite's exceptions as our errors; no exception of apsw leaves this folder."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import apsw

from blackthorn.errors import BlackthornError, DamageError, DefectError, DiskError, defect

P = ParamSpec("P")
R = TypeVar("R")

_UNSYNCED = {apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC}


class UnsyncedError(DiskError):
    """The disk failed to sync. Earlier writes are in doubt: stop."""


class LockedError(DiskError):
    """Another process held the database for as long as a write waits. Nothing was stored."""


def failure_of(error: BaseException) -> BlackthornError:
    """The error in words, without any stored value; a programming error is a DefectError."""
    if isinstance(error, BlackthornError):
        return error
    if getattr(error, "extendedresult", None) in _UNSYNCED:
        return UnsyncedError("the disk failed to make the database durable (fsync): check the disk")
    match error:
        case apsw.FullError():
            return DiskError("the disk is full: nothing was stored; free some space")
        case apsw.CorruptError() | apsw.NotADBError():
            return DamageError("the database is damaged: restore it from a backup")
        case apsw.BusyError() | apsw.LockedError():
            return LockedError("the database is locked by another process")
        case apsw.ReadOnlyError():
            return DiskError("the database cannot be written: it is read-only")
        case apsw.IOError():
            return DiskError("the disk failed to read or write the database")
        case apsw.CantOpenError():
            return DiskError("the database cannot be opened: check that its folder exists")
        case apsw.Error():
            return DefectError(f"the database refused a statement ({type(error).__name__})")
    return defect(error)


@contextmanager
def immediate(connection: apsw.Connection) -> Iterator[None]:
    """One transaction that begins with the write lock. Raises StorageError."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except apsw.Error as error:
        raise failure_of(error) from error


def storing(method: Callable[P, R]) -> Callable[P, R]:
    """Let `method` raise our errors when SQLite fails."""

    @functools.wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except apsw.Error as error:
            raise failure_of(error) from error

    return guarded
