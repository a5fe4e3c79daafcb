"""MIMI content and the facts of a conversation: deterministic, bounded, one error."""

import contextlib
import random

import cbor2
import pytest

from blackthorn.device import limits as device_limits
from blackthorn.device.conversations import content
from blackthorn.device.conversations import limits as conversations_limits
from blackthorn.device.conversations.content import ContentError, TextContent
from blackthorn.device.core.group_metadata import (
    DIRECT,
    GroupMetadata,
    GroupMetadataError,
    read_group_metadata,
)
from blackthorn.device.operations import send_text
from blackthorn.errors import UserError
from blackthorn.mls.codepoints import APPLICATION_EXTENSION
from blackthorn.mls.extension import Extension

SALT = bytes(range(16))
BOB = "bob@acme.example"


def test_a_text_goes_round_and_is_encoded_in_one_way():
    message = TextContent(SALT, "grüß dich\n🖤", 1_700_000_000_000, 3)
    data = content.encode(message)
    assert content.decode(data) == message
    assert content.encode(content.decode(data)) == data
    assert cbor2.loads(data)[6] == [1, "", 1, "text/plain;charset=utf-8", "grüß dich\n🖤".encode()]


def test_the_bytes_of_a_known_message():
    """Fixed, so that no change of library or order goes unnoticed."""
    data = content.encode(TextContent(SALT, "hi", 5, 1))
    expected = (
        "8750000102030405060708090a0b0c0d0e0f" + "f6" + "40" + "f6" + "f6"
        "a2" + "6f626c61636b74686f726e2f73656e74" + "05"
        "70626c61636b74686f726e2f636f756e74" + "01"
        "85"
        + "01"
        + "60"
        + "01"
        + "7818746578742f706c61696e3b636861727365743d7574662d38"
        + "426869"
    )
    assert data.hex() == expected


@pytest.mark.parametrize(
    "value",
    [
        [],
        [SALT],
        [SALT[:15], None, b"", None, None, {}, [1, "", 1, "text/plain", b"x"]],
        [SALT, None, b"", None, None, {}, [1, "", 1, "text/html", b"x"]],
        [SALT, None, b"", None, None, {}, [1, "", 0]],
        [SALT, None, b"", None, None, {}, [1, "", 1, "text/plain", b"\xff\xfe"]],
        [SALT, None, b"", None, None, {}, [1, "", 1, "text/plain", "text"]],
        [SALT, None, b"", None, None, [], [1, "", 1, "text/plain", b"x"]],
        {"a": 1},
        "text",
        None,
    ],
)
def test_what_is_not_a_plain_text_is_refused(value):
    with pytest.raises(ContentError):
        content.decode(cbor2.dumps(value))


def test_a_count_or_time_that_is_none_counts_as_unknown():
    for odd in (-1, 2**60, "1", True, None, b"1"):
        data = cbor2.dumps(
            [
                SALT,
                None,
                b"",
                None,
                None,
                {content.SENT: odd, content.COUNT: odd},
                [1, "", 1, "text/plain", b"x"],
            ]
        )
        decoded = content.decode(data)
        assert (decoded.sent_ms, decoded.count) == (0, 0)


def test_any_bytes_end_in_one_error():
    seed = 11
    print(f"seed {seed}")
    chance = random.Random(seed)
    valid = content.encode(TextContent(SALT, "hello", 5, 1))
    shapes = [b"\x81" * 10_000, b"\x9f" * 100, b"\xc2" * 50, b"\xbb" + b"\xff" * 8, b"\x5b" * 9]
    for _ in range(2_000):
        altered = bytearray(valid)
        for _ in range(chance.randrange(1, 4)):
            altered[chance.randrange(len(altered))] = chance.randrange(256)
        shapes.append(bytes(altered[: chance.randrange(len(altered) + 1)]))
    for data in shapes:
        with contextlib.suppress(ContentError):
            content.decode(data)


def test_sizes_are_bounded():
    with pytest.raises(UserError, match="longer than"):
        send_text.enqueue(None, DIRECT, BOB, "x" * (device_limits.MAX_MESSAGE_BYTES + 1))
    with pytest.raises(ContentError, match="too large"):
        content.decode(bytes(conversations_limits.MAX_CONTENT_BYTES + 1))
    longest = TextContent(SALT, "x" * device_limits.MAX_MESSAGE_BYTES, 2**53 - 1, 2**53 - 1)
    assert content.decode(content.encode(longest)) == longest


def test_message_ids_differ_by_sender_room_and_content():
    ids = {
        content.message_id(body, sender, room, SALT)
        for body in (b"a", b"b")
        for sender in ("alice@acme.example", "bob@acme.example")
        for room in (b"1", b"2")
    }
    assert len(ids) == 8
    assert all(len(each) == 32 and each[0] == 1 for each in ids)


def test_the_facts_of_a_conversation_go_round():
    for facts in (GroupMetadata("direct", "", 5), GroupMetadata("group", "Größe 🖤", 2**40)):
        assert read_group_metadata([facts.extension()]) == facts


@pytest.mark.parametrize(
    "value",
    [
        [1, 1, 5, ""],
        [1, 0, 5, "a name"],
        [1, 1, 5, "x" * 257],
        [1, 2, 5, "x"],
        [2, 1, 5, "x"],
        [1, 1, -1, "x"],
        [1, 1, 2**53, "x"],
        [1, True, 5, "x", 1],
        "x",
    ],
)
def test_other_facts_are_refused(value):
    with pytest.raises(GroupMetadataError):
        read_group_metadata([Extension(APPLICATION_EXTENSION, cbor2.dumps(value))])


def test_facts_that_are_missing_or_no_cbor_are_refused():
    for extensions in ([], [Extension(APPLICATION_EXTENSION, b"\xff")]):
        with pytest.raises(GroupMetadataError):
            read_group_metadata(extensions)
