"""The exception tree. Every error says whose fault it is and, on a wire, carries its code.

    BlackthornError
    ├── InputError          what came from outside is wrong: the sender must change it
    │   ├── DecodeError     bytes that are not what they claim to be
    │   ├── LimitError      well-formed, but larger than a bound of a `limits` module
    │   └── ProtocolError   a well-formed frame or message that is not allowed now
    ├── UserError           the person at the command line must change something
    │   └── ConfigError     … in the configuration file
    ├── SecurityError       somebody may be attacking: stop, say so, lose nothing
    │   └── VerificationError   a note, proof, statement or policy breaks a numbered rule
    ├── StorageError        what is stored cannot be used; raise one of its kinds
    │   ├── DiskError       the disk or the database failed: nothing was acknowledged
    │   └── DamageError     what is stored is not what was written, or is missing
    ├── RefusalError        what is stored does not allow the change; raise one of its kinds
    │   ├── ConflictError   another change came first
    │   ├── AbsentError     there is no such thing
    │   └── ForbiddenError  it is there, and this one may not
    ├── UnavailableError    a peer cannot be reached or asks to try again later
    └── DefectError         a programming error of ours, logged once where it was caught

A module may subclass these; it may not invent a root of its own.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager


class BlackthornError(Exception):
    """Root of every error that Blackthorn raises on purpose.

    `str(error)` is one line that names what is wrong and what to do. It never holds
    message content, subjects or keys.
    """


class InputError(BlackthornError):
    """What came from outside is wrong; the sender is at fault and the state is unchanged."""


class DecodeError(InputError):
    """The bytes are not a valid encoding of what was expected."""


class LimitError(InputError):
    """The input is larger than a named bound of a `limits` module."""


class ProtocolError(InputError):
    """A well-formed frame or message that the protocol does not allow at this point."""


class UserError(BlackthornError):
    """The person at the command line must change something; the text says what."""


class ConfigError(UserError):
    """The configuration file is wrong; the text names the key and what is accepted."""


class SecurityError(BlackthornError):
    """A check failed that only an attack or grave damage makes fail. Never retried silently."""


class VerificationError(SecurityError):
    """A note, proof, tile, entry, statement or policy is malformed or false.

    `rule` is the number of the broken rule, such as `T7` (docs/ledger-rules.md); it stands last.
    """

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(f"{text} [{rule}]")
        self.rule = rule
        self.text = text


class StorageError(BlackthornError):
    """What is stored cannot be used; whatever was asked has not been acknowledged."""


class DiskError(StorageError):
    """The disk or the database failed; whatever was asked has not been acknowledged."""


class DamageError(StorageError):
    """What is stored is not what was written, or is missing: restore it from a backup."""


class RefusalError(BlackthornError):
    """What is stored does not allow the change; nothing was changed."""


class ConflictError(RefusalError):
    """Another change came first: look at what is there now, and decide again."""


class AbsentError(RefusalError):
    """There is no such thing here, or not any more."""


class ForbiddenError(RefusalError):
    """It is there, and whoever asks may not do this to it."""


class UnavailableError(BlackthornError):
    """A peer cannot be reached now, or asked to be tried again later."""


class DefectError(BlackthornError):
    """A programming error of Blackthorn's own: `str` names its kind and place, never its text.

    It is logged once, where it was caught first, and never told as a fault of the disk.
    """

    logged = False
    """Whether the log has it already: it may pass through several that wait for it."""


def defect(error: BaseException) -> DefectError:
    """The DefectError for an exception that nobody expected.

    It names the exception's type and the place in Blackthorn, never the exception's text, which
    may hold content.
    """
    places = [
        f"{frame.f_globals.get('__name__')}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__", "")).startswith("blackthorn.")
    ]
    place = places[-1] if places else "an unknown place"
    return DefectError(f"a defect in Blackthorn ({type(error).__name__} at {place})")


@contextmanager
def system_error(kind: type[BlackthornError], text: str) -> Iterator[None]:
    """Raise `kind` for what the system refuses in the block: `text`, then its reason."""
    try:
        yield
    except OSError as error:
        raise kind(f"{text}: {error.strerror}") from None
