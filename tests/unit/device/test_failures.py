"""What was given up is kept until it is seen, and no longer than it may be."""

from blackthorn.device.core import failures, limits
from blackthorn.device.operations.change_group import ChangeGroup
from blackthorn.device.operations.create_group import CreateGroup
from blackthorn.device.operations.limits import MAX_FAILURE_TEXT_CHARS
from blackthorn.device.operations.send_text import SendText
from blackthorn.simulation.memory import memory_vault

TEXT = SendText("direct", "ghost@acme.example", b"", "boo" * 100, 0, b"")


def test_kept_told_and_forgotten() -> None:
    with memory_vault().transaction() as records:
        settings = records.settings
        failures.note(settings, 1, TEXT.failure_text(), "no such user", 1000)
        failures.note(settings, 2, CreateGroup("team", ["x"]).failure_text(), "no such user", 2000)
        failures.note(settings, 3, ChangeGroup("team", b"", ["x"], []).failure_text(), "gone", 3000)
        first, second, third = failures.all_failures(settings)
        assert (first.what, first.name) == ("not sent to", "ghost@acme.example")
        assert first.text == TEXT.text[:MAX_FAILURE_TEXT_CHARS]
        assert (second.what, third.what) == ("not made: the group", "not x added to the group")
        failures.set_told(settings, [2])
        assert [each.told for each in failures.all_failures(settings)] == [False, True, False]
        failures.forget(settings, [1, 3])
        assert [each.number for each in failures.all_failures(settings)] == [2]


def test_the_old_make_room() -> None:
    with memory_vault().transaction() as records:
        failures.note(records.settings, 1, TEXT.failure_text(), "no", 0)
        failures.note(
            records.settings, 2, TEXT.failure_text(), "no", limits.FAILURE_SECONDS * 1000 + 1
        )
        assert [each.number for each in failures.all_failures(records.settings)] == [2]
