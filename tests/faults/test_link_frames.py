"""Frames malformed, too large or out of place: a Bye with its code, and the server lives."""

import asyncio
import os
import random
from pathlib import Path

import pytest
from picows import WSMsgType

from blackthorn.link import frames as f
from blackthorn.link import limits
from blackthorn.link.fanout import fanout_frame
from tests.support import runs
from tests.support.link_harness import run, running

WRONG: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "malformed"),
    "garbage": (b"\xc1\xff\x00garbage", "malformed"),
    "an unknown number": (b"\x91\x63", "malformed"),
    "too few fields": (b"\x92\x0b\x90", "malformed"),
    "a deep nesting": (b"\x91" * 100_000, "malformed"),
    "a length that lies": (b"\xdd\xff\xff\xff\xff", "malformed"),
    "a hello again": (f.encode(f.Hello(1, bytes(16), bytes(64))), "not-now"),
    "an acknowledgement too early": (f.encode(f.Acknowledge([1])), "not-now"),
    "a frame of the server": (f.encode(f.Accepted([])), "not-now"),
    "an activation": (f.encode(f.ActivateBegin(1, "12", b"x")), "not-now"),
    "mail where none is served": (f.encode(f.ListMail(1, 0)), "not-now"),
    "a fan-out that is not its list": (f.encode(f.Fanout(bytes(16), [bytes(16)])), "malformed"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_known_device_that_errs_is_told_why(name: str, tmp_path: Path) -> None:
    data, code = WRONG[name]

    async def scene() -> None:
        async with running(tmp_path) as server:
            bystander = await server.open(server.devices[1])
            client = await server.rude(server.devices[0])
            client.say(data)
            assert await client.last_word() == code
            bystander.send(f.Ping(3), f.PublishKeyPackages([b"k"]))
            assert await bystander.receive() == f.KeyPackageStock(1)

    run(scene())


def test_a_bye_ends_the_connection_without_another(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            client = await server.rude(server.devices[0])
            client.say(f.encode(f.Bye("going", "")))
            assert await client.hear() is None
            assert server.counters.links_cut == 0

    run(scene())


@pytest.mark.parametrize("frame", [f.Send([]), f.Resume(), f.Ping(1), f.Acknowledge([])])
def test_who_has_not_said_hello_may_say_nothing_else(frame: f.AnyFrame, tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            client = await server.rude()
            client.say(f.encode(frame))
            assert await client.last_word() in ("not-now", "malformed")

    run(scene())


def test_a_message_must_be_binary_and_whole(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            for kind, fin in ((WSMsgType.TEXT, True), (WSMsgType.BINARY, False)):
                client = await server.rude(server.devices[0])
                client.say(f.encode(f.Ping(1)), kind, fin)
                assert await client.last_word() == "malformed"

    run(scene())


def test_a_frame_that_is_too_large_is_told_so(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            client = await server.rude(server.devices[0])
            client.say(bytes(limits.MAX_FRAME_BYTES + 1))
            assert await client.last_word() == "too-large"
            client = await server.rude(server.devices[0])
            client.say(bytes(limits.MAX_FRAME_BYTES + 100_000))
            assert await client.last_word() == "too-large"

    run(scene())


def test_parcels_of_the_largest_size_pass(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            sender = await server.open(server.devices[0])
            receiver = await server.open(server.devices[1])
            told = fanout_frame([server.devices[1].id, server.devices[0].id])
            sealed = os.urandom(limits.MAX_PARCEL_BYTES)
            sender.send(told, f.Send([f.Posting(bytes(16), [f.Parcel(told.id, sealed)])]))
            for link, answer in ((sender, f.Accepted), (sender, f.Deliver), (receiver, f.Deliver)):
                async with asyncio.timeout(10):
                    heard = await link.receive()
                assert isinstance(heard, answer)
            assert heard.parcels[0].sealed == sealed

    run(scene())


def test_thousands_of_random_messages_end_nothing_but_their_connection(tmp_path: Path) -> None:
    seed = runs.seed()
    chance = random.Random(seed)

    async def scene() -> None:
        async with running(tmp_path) as server:
            for _ in range(150):
                client = await server.rude(server.devices[0] if chance.random() < 0.7 else None)
                for _ in range(20):
                    size = chance.choice((0, 1, 3, 17, 200))
                    if not client.transport.is_disconnected:
                        client.say(bytes([0x90 + chance.randrange(16)]) + chance.randbytes(size))
                if chance.random() < 0.5:
                    client.transport.disconnect(graceful=False)
                else:
                    assert await client.last_word() in ("malformed", "not-now", "hello-refused")

    run(scene())
