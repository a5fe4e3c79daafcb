"""The exception tree. Every error says who is at fault; edges map it to their wire codes.

    BlackthornError
    ├── InputError          outside input is wrong: the sender must change it
    │   ├── DecodeError     bytes that are not what they claim to be
    │   ├── LimitError      well-formed, but larger than a bound of a `limits` module
    │   └── ProtocolError   a well-formed frame or message that is not allowed now
    ├── UserError           the person at the command line must change something
    │   └── ConfigError     … in the configuration file
    ├── SecurityError       a possible attack: stop, report it, lose nothing
    │   └── VerificationError   a note, proof, statement or policy breaks a numbered rule
    ├── StorageError        stored data is unusable; raise one of its kinds
    │   ├── DiskError       the disk or the database failed: nothing was acknowledged
    │   └── DamageError     stored data differs from what was written, or is missing
    ├── RefusalError        stored data does not allow the change; raise one of its kinds
    │   ├── ConflictError   another change came first
    │   ├── AbsentError     it does not exist
    │   └── ForbiddenError  it exists, and the caller has no permission
    ├── UnavailableError    a peer is unreachable or asks for a later retry
    │   └── OverrunError    the server sends more than a bound allows: the link was ended
    └── DefectError         a programming error of ours, logged once where it was caught

A module may subclass these; it may not invent a root of its own.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager


class BlackthornError(Exception):
    """Root of every deliberate error of Blackthorn.

    `str(error)` is one line: what is wrong and what to do. It never holds content, subjects, keys.
    """


class InputError(BlackthornError):
    """Outside input is wrong; the sender is at fault and the state is unchanged."""


class DecodeError(InputError):
    """The bytes are not a valid encoding of what was expected."""


class LimitError(InputError):
    """The input is larger than a named bound of a `limits` module."""


class ProtocolError(InputError):
    """A well-formed frame or message that the protocol does not allow at this point."""


class UserError(BlackthornError):
    """The person at the command line must change something, as the text says."""


class ConfigError(UserError):
    """The configuration file is wrong; the text names the key and what is accepted."""


class SecurityError(BlackthornError):
    """A check failed because of an attack or grave damage. Never retried silently."""


class VerificationError(SecurityError):
    """A note, proof, tile, entry, statement or policy is malformed or false.

    `rule` is the number of the broken rule, such as `T7` (docs/ledger-rules.md); it stands last.
    """

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(f"{text} [{rule}]")
        self.rule = rule
        self.text = text


class StorageError(BlackthornError):
    """Stored data is unusable; the request was not acknowledged."""


class DiskError(StorageError):
    """The disk or the database failed; the request was not acknowledged."""


class DamageError(StorageError):
    """Stored data differs from what was written, or is missing: restore it from a backup."""


class RefusalError(BlackthornError):
    """Stored data does not allow the change; nothing was changed."""


class ConflictError(RefusalError):
    """Another change came first: look at it, and decide again."""


class AbsentError(RefusalError):
    """It does not exist here, or no longer."""


class ForbiddenError(RefusalError):
    """It is there, and the caller has no permission for it."""


class UnavailableError(BlackthornError):
    """A peer is unreachable or asked for a later retry."""


class OverrunError(UnavailableError):
    """The server sends more than a bound allows, or against its own word; the text says what."""


class DefectError(BlackthornError):
    """A programming error of Blackthorn; `str` names its kind and place, never its text.

    Logged once, where first caught, and never reported as a disk fault.
    """

    logged = False
    """Whether it was logged; several waiters may see it."""


def defect(error: BaseException) -> DefectError:
    """The DefectError for an unexpected exception: its type and place, never its text."""
    places = [
        f"{frame.f_globals.get('__name__')}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__", "")).startswith("blackthorn.")
    ]
    place = places[-1] if places else "an unknown place"
    return DefectError(f"a defect in Blackthorn ({type(error).__name__} at {place})")


@contextmanager
def system_error(kind: type[BlackthornError], text: str) -> Iterator[None]:
    """Raise `kind`, with `text` and the system's reason, for an OSError in the block."""
    try:
        yield
    except OSError as error:
        raise kind(f"{text}: {error.strerror}") from None
