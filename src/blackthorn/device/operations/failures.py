"""Wishes that were given up after the command that made them had ended, until they are seen.

A wish may be kept for days before the server refuses it. What is kept here is enough to tell
the person: what was to be done, and why it cannot be. The whole text stays in the history.
"""

from collections.abc import Collection
from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.operations import limits
from blackthorn.device.operations.outgoing import (
    ChangeChain,
    ChangeGroup,
    CreateGroup,
    OutgoingOperation,
    SendText,
)
from blackthorn.errors import StorageError
from blackthorn.ports.device_store import Settings

_SETTING: Final = "failures"


class Failure(Struct, frozen=True):
    """A wish that was given up. `failed_ms` is Unix time; `told`: on a terminal, once.

    `what` is in words ("not sent to"), `name` of a person or a group, `text` the beginning of a
    message or empty. None of it is made safe for a terminal.
    """

    number: int
    what: str
    name: str
    text: str
    reason: str
    failed_ms: int
    told: bool = False


def all_failures(settings: Settings) -> list[Failure]:
    """All that are kept, oldest first. Raises StorageError."""
    data = settings.get(_SETTING)
    try:
        return msgspec.msgpack.decode(data, type=list[Failure]) if data else []
    except msgspec.DecodeError:
        raise StorageError("what could not be sent was noted by another version") from None


def note(
    settings: Settings, number: int, operation: OutgoingOperation, reason: str, now_ms: int
) -> None:
    """Keep one; the oldest make room when there are too many, or after their time."""
    what, text = _describe(operation)
    failure = Failure(number, what, operation.name, text, reason, now_ms)
    oldest_ms = now_ms - limits.FAILURE_SECONDS * 1000
    kept = [each for each in all_failures(settings) if each.failed_ms >= oldest_ms]
    _put(settings, [*kept, failure][-limits.MAX_FAILURES :])


def forget(settings: Settings, numbers: Collection[int]) -> None:
    """The person has seen these."""
    _put(settings, [each for each in all_failures(settings) if each.number not in numbers])


def set_told(settings: Settings, numbers: Collection[int]) -> None:
    """These were told on a terminal."""
    _put(
        settings,
        [
            msgspec.structs.replace(each, told=True) if each.number in numbers else each
            for each in all_failures(settings)
        ],
    )


def _put(settings: Settings, failures: list[Failure]) -> None:
    settings.put(_SETTING, msgspec.msgpack.encode(failures))


def _describe(operation: OutgoingOperation) -> tuple[str, str]:
    match operation:
        case SendText():
            return "not sent to", operation.text[: limits.MAX_FAILURE_TEXT_CHARS]
        case CreateGroup():
            return "not made: the group", ""
        case ChangeGroup():
            change = [f"{each} added to" for each in operation.add]
            change += [f"{each} removed from" for each in operation.remove]
            return f"not {', '.join(change)} the group", ""
        case ChangeChain():
            return "not stated:", ""
        case _:
            return "your devices were not brought up to date in", ""
