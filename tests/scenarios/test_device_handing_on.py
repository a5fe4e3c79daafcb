"""Own devices hand on what one of them missed (H13, docs/specs/conversations.md)."""

from itertools import pairwise

import pytest

from blackthorn.device.conversations import handed_lines, heal_messages
from blackthorn.device.healing import handing, limits, wanted
from blackthorn.device.operations.healing.send_heal import SendHeal
from blackthorn.link import frames as f
from blackthorn.ports.device_store import HistoryRecord
from blackthorn.simulation.linking import add_device, bring_up, pair
from blackthorn.simulation.recovery import Recoverer, state_recovery
from tests.scenarios.test_device_copies import copy_of, reconnect, restore
from tests.support.device_world import World
from tests.support.stranding import come_back, go_off_line, live, lose_oldest, standing

AWHILE = 3_600


def world_with_a_tablet(seed: int):
    world = World(seed, "alice", "bob", "carol")
    alice, bob, carol = world.people
    tablet = add_device(alice)
    alice.create_group("team", bob, carol)
    world.settle()
    bob.write_group("team", "hello")
    world.settle()
    return world, alice, bob, carol, tablet


def texts(person, name="team"):
    return [line.text for line in person.history() if line.sort == "text" and line.name == name]


def marks(person):
    return {line.text: line.mark for line in person.history() if line.sort == "text"}


def test_what_was_written_while_it_was_stranded_reaches_the_device():
    world, alice, bob, carol, tablet = world_with_a_tablet(31)
    go_off_line(tablet)
    bob.write_group("team", "read by nobody else's fault")
    alice.change_group("team", [], [carol])
    world.settle()
    bob.write_group("team", "after the change")
    alice.write_group("team", "mine")
    world.settle()
    for _ in range(2):
        lose_oldest(world, tablet)
    come_back(tablet)
    live(world, AWHILE)
    bob.write_group("team", "all together")
    live(world, AWHILE)
    assert standing(tablet) == ["active"]
    assert sorted(texts(tablet)) == sorted(texts(alice))
    assert marks(tablet)["hello"] == "" and tablet.gaps() == 0
    assert set(marks(alice).values()) == {""}


def test_a_lost_text_is_asked_for_by_its_count_and_stands_in_its_place():
    world, _, bob, _, tablet = world_with_a_tablet(32)
    go_off_line(tablet)
    for number in range(3):
        bob.write_group("team", f"text {number}")
    world.settle()
    lose_oldest(world, tablet)
    come_back(tablet)
    assert tablet.gaps() == 1 and "text 0" not in texts(tablet)
    live(world, 300)
    assert texts(tablet) == ["hello", "text 0", "text 1", "text 2"]
    assert tablet.gaps() == 0
    assert marks(tablet)["text 0"] == "handed on by your alice"
    live(world, 300)
    assert texts(tablet) == ["hello", "text 0", "text 1", "text 2"]


def test_a_new_device_reads_what_was_written_around_its_linking():
    world = World(33, "alice", "bob")
    alice, bob = world.people
    bob.write(alice, "before")
    world.settle()
    _, newcomer = pair(alice, "tablet")
    bob.write(alice, "while it was linked")
    alice.write(bob, "mine while it was linked")
    world.settle()
    world.publish()
    tablet = newcomer.person()
    bring_up(world)
    bob.write(alice, "afterwards")
    live(world, AWHILE)
    assert texts(tablet, bob.address) == texts(alice, bob.address)
    assert len(texts(alice, bob.address)) == 4


def test_a_restored_folder_gets_what_its_copy_has_read_and_written():
    world, alice, bob, _, tablet = world_with_a_tablet(34)
    backup = copy_of(tablet)
    reconnect(world, tablet, 3)
    bob.write_group("team", "read by the copy")
    tablet.write_group("team", "written by the copy")
    bob.create_group("later", alice)
    world.settle()
    bob.write_group("later", "in a group that the backup does not know")
    world.settle()
    restore(tablet, backup)
    tablet.connect()
    world.settle()
    live(world, AWHILE)
    assert texts(tablet) == texts(alice) and len(texts(alice)) == 3
    assert texts(tablet, "later") == texts(alice, "later") != []
    with tablet.unit() as unit:
        (record,) = unit.records.conversations.named("group", "team")
    assert record.sent == 1, "the next text would have the count of the copy's"


@pytest.mark.parametrize("at_once", [False, True])
def test_what_a_copy_wrote_stands_before_what_was_written_after_the_restore(at_once: bool):
    """Also where the text waits until the device is a member again."""
    world, alice, _, _, tablet = world_with_a_tablet(37)
    backup = copy_of(tablet)
    reconnect(world, tablet, 3)
    for number in range(3):
        tablet.write_group("team", f"by the copy {number}")
    world.settle()
    go_off_line(alice)  # who else could hand them on
    live(world, AWHILE)
    restore(tablet, backup)
    if at_once:
        come_back(alice)
        tablet.write_group("team", "after the restore")
    tablet.connect()
    world.settle()
    live(world, AWHILE)
    if not at_once:
        tablet.write_group("team", "after the restore")
        live(world, AWHILE)
        come_back(alice)
    live(world, AWHILE)
    copied = [f"by the copy {number}" for number in range(3)]
    assert texts(tablet) == ["hello", *copied, "after the restore"]


def test_three_devices_take_turns_and_each_line_is_sent_once():
    world, alice, bob, _, tablet = world_with_a_tablet(35)
    laptop = add_device(alice, "laptop")
    sent: list[f.AnyFrame] = []
    for person in (alice, laptop):
        say = person.wire.say
        person.wire.say = lambda *frames, say=say: (sent.extend(frames), say(*frames))
    go_off_line(tablet)
    for number in range(3):
        bob.write_group("team", f"text {number}")
    world.settle()
    lose_oldest(world, tablet)
    come_back(tablet)
    sent.clear()
    live(world, 600)
    assert "text 0" in texts(tablet)
    postings = [one for frame in sent if isinstance(frame, f.Send) for one in frame.postings]
    assert len(postings) == 1


def test_nobody_else_hands_lines_on():
    world, alice, bob, _, _ = world_with_a_tablet(36)
    line = heal_messages.HandedLine(
        b"\x01" * 32, b"\x02" * 32, "group", "team", "carol@acme.example", "forged", 1, 1
    )
    alice.write(bob, "hello")
    world.settle()
    for message in (
        heal_messages.Lines(b"n" * 16, [line]),
        heal_messages.Wanted(b"n" * 16, [heal_messages.WantedItem(b"", 0)]),
    ):
        part = heal_messages.encode_part(message)
        bob.enqueue(lambda unit, part=part: SendHeal(alice.address, b"s" * 16, part).enqueue(unit))
        world.settle()
    live(world, 300)
    assert "forged" not in texts(alice) and not alice.set_aside()
    with alice.unit() as unit:
        assert not handing.waiting(unit)
    assert bob.received() == ["hello"]


def test_many_lines_go_in_bounded_messages_one_after_the_other():
    world, alice, bob, _, tablet = world_with_a_tablet(37)
    with alice.unit() as unit:
        (place,) = unit.records.conversations.named("group", "team")
        for number in range(300):
            unit.records.history.add(
                HistoryRecord(
                    message=number.to_bytes(32, "little"),
                    conversation=place.id,
                    kind="group",
                    name="team",
                    sender=bob.address,
                    sort="text",
                    text=f"{number:04}" + "x" * 1020,
                    sent_ms=world.now_ms,
                    received_ms=world.now_ms,
                    standing="received",
                )
            )
    heard = []
    take = handed_lines.take

    def listen(unit, sender, nonce, lines):
        heard.append((world.now, sum(len(line.text) for line in lines)))
        return take(unit, sender, nonce, lines)

    with tablet.unit() as unit:
        wanted.note(unit, wanted.ALL, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handed_lines, "take", listen)
        live(world, 300, step=1)
    assert texts(tablet)[1:] == texts(alice)[1:] and len(texts(alice)) == 301
    assert all(size <= limits.HANDED_FRAME_BYTES for _, size in heard)
    times = sorted({at for at, _ in heard})
    assert len(times) == len(heard) >= 5
    assert all(b - a >= limits.HANDED_FRAME_SECONDS for a, b in pairwise(times))


def test_the_words_of_a_paper_open_no_history():
    world, alice, bob, _, tablet = world_with_a_tablet(38)
    words, check = state_recovery(alice)
    live(world, 7_200, step=60)
    bob.write_group("team", "shortly before")
    world.settle()
    found = Recoverer(world, "new phone")
    found.recover(words, alice.address, check)
    world.settle()
    world.publish()
    phone = found.person()
    bring_up(world)
    live(world, AWHILE)
    assert texts(phone) == ["shortly before"]
    assert texts(tablet) == ["hello", "shortly before"]
