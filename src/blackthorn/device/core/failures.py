"""Operations that were given up after their command had ended, until the user has seen them.

A failure has the beginning of the text only; the history has all of it.
"""

from collections.abc import Collection
from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.core import limits
from blackthorn.errors import DamageError
from blackthorn.ports.device_store import Settings

_SETTING: Final = "failures"


class Failure(Struct, frozen=True):
    """An operation that was given up at `failed_ms`, Unix time; `told`: shown once on a terminal.

    `what` is in words ("not sent to"), `name` of a person or a group, `text` the beginning of a
    message or empty. They must be made safe before printing.
    """

    number: int
    what: str
    name: str
    text: str
    reason: str
    failed_ms: int
    told: bool = False


def all_failures(settings: Settings) -> list[Failure]:
    """All stored failures, oldest first. Raises DamageError."""
    data = settings.get(_SETTING)
    try:
        return msgspec.msgpack.decode(data, type=list[Failure]) if data else []
    except msgspec.DecodeError:
        raise DamageError(
            "the stored failures are of another version of this program: update it"
        ) from None


def note(
    settings: Settings, number: int, words: tuple[str, str, str], reason: str, now_ms: int
) -> None:
    """Store a failure; delete expired ones and the oldest over the limit.

    `words` are those of `Failure`: what, name, text.
    """
    failure = Failure(number, *words, reason, now_ms)
    oldest_ms = now_ms - limits.FAILURE_SECONDS * 1000
    kept = [failure for failure in all_failures(settings) if failure.failed_ms >= oldest_ms]
    _put(settings, [*kept, failure][-limits.MAX_FAILURES :])


def forget(settings: Settings, numbers: Collection[int]) -> None:
    _put(settings, [failure for failure in all_failures(settings) if failure.number not in numbers])


def set_told(settings: Settings, numbers: Collection[int]) -> None:
    """Mark these as shown on a terminal."""
    told = [
        msgspec.structs.replace(failure, told=failure.told or failure.number in numbers)
        for failure in all_failures(settings)
    ]
    _put(settings, told)


def _put(settings: Settings, failures: list[Failure]) -> None:
    settings.put(_SETTING, msgspec.msgpack.encode(failures))
