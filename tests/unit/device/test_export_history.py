"""Conversations of an export: talks with one person are one, groups stay apart, nothing is lost."""

from dataclasses import replace

from blackthorn.device.export import history
from blackthorn.mls.errors import MalformedMessage
from blackthorn.ports.device_store import ConversationRecord, HistoryRecord


def conversations(lines, groups):
    return history.conversations(lines, groups, damaged)


def damaged(_: ConversationRecord) -> list[str]:
    raise MalformedMessage("the stored group has no tree")


def line(text: str, kind: str, name: str, conversation: bytes) -> HistoryRecord:
    message = text.encode().ljust(32)
    return HistoryRecord(message, conversation, kind, name, name, "text", text, 1, 2, "received")


def group(identity: bytes, kind: str, name: str, standing: str = "active") -> ConversationRecord:
    return ConversationRecord(identity, kind, name, 1, standing, 1, 0, b"damaged")


def test_a_talk_that_was_begun_anew_is_one_conversation() -> None:
    lines = [
        line("first", "direct", "bob@acme.example", b"one"),
        line("second", "direct", "bob@acme.example", b"two"),
        line("waits", "direct", "bob@acme.example", b""),
    ]
    groups = [group(b"one", "direct", "bob@acme.example", "removed")]
    (found,) = conversations(lines, [*groups, group(b"two", "direct", "bob@acme.example")])
    assert [each.text for each in found.messages] == ["first", "second", "waits"]
    assert (found.ids, found.standing) == ([b"one", b"two"], "active")


def test_groups_of_one_name_stay_apart_and_a_group_that_was_left_keeps_its_messages() -> None:
    lines = [line("a", "group", "team", b"one"), line("b", "group", "team", b"two")]
    found = conversations(lines, [group(b"one", "group", "team", "removed")])
    told = [(each.ids, each.standing, [m.text for m in each.messages]) for each in found]
    assert told == [([b"one"], "removed", ["a"]), ([b"two"], "unknown", ["b"])]


def test_the_group_of_ones_own_devices_is_no_conversation_and_an_empty_one_is() -> None:
    found = conversations([], [group(b"self", "self", ""), group(b"one", "group", "quiet")])
    assert [each.name for each in found] == ["quiet"]


def test_a_group_whose_state_is_damaged_has_no_members_and_stops_nothing() -> None:
    (found,) = conversations([], [group(b"one", "group", "team")])
    assert found.members == []


def test_a_late_text_of_a_revoked_device_is_marked_as_in_the_inbox() -> None:
    mark = "from a device revoked on 2026-11-30"
    late = replace(line("late", "group", "team", b"one"), mark=mark)
    (found,) = conversations([line("in time", "group", "team", b"one"), late], [])
    assert [message.mark for message in found.messages] == ["", mark]
