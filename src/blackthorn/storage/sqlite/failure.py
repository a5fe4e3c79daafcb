"""What SQLite raises, as StorageError with one clear line.

What never leaves this folder: an exception of apsw.
"""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import apsw

from blackthorn.errors import StorageError

P = ParamSpec("P")
R = TypeVar("R")

_UNSYNCED = {apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC}


class UnsyncedError(StorageError):
    """The disk failed to make data durable. What was written before is in doubt: stop."""


class DamagedError(StorageError):
    """A page of the database is not what was written to it."""


def storage_error(error: BaseException) -> StorageError:
    """The StorageError that says what happened, without any value that was being stored."""
    if isinstance(error, StorageError):
        return error
    if getattr(error, "extendedresult", None) in _UNSYNCED:
        return UnsyncedError("the disk failed to make the database durable (fsync): check the disk")
    match error:
        case apsw.FullError():
            return StorageError("the disk is full: nothing was stored; free some space")
        case apsw.CorruptError() | apsw.NotADBError():
            return DamagedError("the database is damaged: restore it from a backup")
        case apsw.BusyError() | apsw.LockedError():
            return StorageError("the database is locked by another process")
        case apsw.ReadOnlyError():
            return StorageError("the database cannot be written: it is read-only")
        case apsw.IOError():
            return StorageError("the disk failed to read or write the database")
        case apsw.CantOpenError():
            return StorageError("the database cannot be opened: check that its folder exists")
    return StorageError(f"the database refused a statement ({type(error).__name__})")


def storing(method: Callable[P, R]) -> Callable[P, R]:
    """Let `method` raise StorageError wherever SQLite fails."""

    @functools.wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except apsw.Error as error:
            raise storage_error(error) from error

    return guarded
