"""The conversations of an export, from the lines of the history and the groups."""

from collections.abc import Callable, Iterable, Sequence

from blackthorn.device.core.group_metadata import DIRECT, GROUP
from blackthorn.device.export.messages import ExportConversation, ExportMessage
from blackthorn.device.healing.states import is_member
from blackthorn.mls.errors import MLSError
from blackthorn.ports.device_store import ConversationRecord, HistoryRecord

_Key = tuple[str, str, bytes]


def _key(kind: str, name: str, conversation: bytes) -> _Key:
    """Direct conversations are merged by person, whatever their groups."""
    return kind, name, b"" if kind == DIRECT else conversation


def conversations(
    lines: Sequence[HistoryRecord],
    groups: Iterable[ConversationRecord],
    members_of: Callable[[ConversationRecord], Sequence[str]],
) -> list[ExportConversation]:
    """All conversations with a message or a group, by kind and name; lines keep their order.

    `members_of` gives the users in a group, or raises MLSError when its state cannot be read.
    """
    by_key: dict[_Key, list[HistoryRecord]] = {}
    known: dict[_Key, list[ConversationRecord]] = {}
    names = {}
    for group in groups:
        if group.kind in (DIRECT, GROUP):
            names[group.id] = group.name
            key = _key(group.kind, group.name, group.id)
            known.setdefault(key, []).append(group)
    for line in lines:
        name = names.get(line.conversation, line.name)
        by_key.setdefault(_key(line.kind, name, line.conversation), []).append(line)
    members = {key: _members(found, members_of) for key, found in known.items()}
    return [
        _one(key, by_key.get(key, []), known.get(key, []), members.get(key, []))
        for key in sorted({*by_key, *known})
    ]


def _one(
    key: _Key,
    lines: Sequence[HistoryRecord],
    groups: Sequence[ConversationRecord],
    members: list[str],
) -> ExportConversation:
    ids = {line.conversation for line in lines if line.conversation} | {line.id for line in groups}
    standings = {"active" if is_member(group.standing) else group.standing for group in groups}
    standing = next(iter(sorted(standings)), "unknown")
    messages = [_message(line) for line in lines]
    return ExportConversation(key[0], key[1], sorted(ids), members, standing, messages)


def _message(line: HistoryRecord) -> ExportMessage:
    times = (line.sent_ms, line.received_ms)
    return ExportMessage(
        line.message, line.sender, line.sort, line.text, *times, line.standing, line.mark
    )


def _members(
    groups: Iterable[ConversationRecord], members_of: Callable[[ConversationRecord], Sequence[str]]
) -> list[str]:
    """The members known to this device, without those of groups that cannot be read."""
    found: set[str] = set()
    for group in groups:
        try:
            found.update(members_of(group))
        except MLSError:
            continue
    return sorted(found)
