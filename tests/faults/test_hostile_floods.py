"""A hostile server that sends without end: the device stops at a bound, and its person is told."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from blackthorn.device.mail import limits
from blackthorn.device.transparency.alarms import open_alarms
from blackthorn.edges.link import client
from blackthorn.errors import OverrunError
from blackthorn.ids import Fingerprint
from blackthorn.link import frames as f
from blackthorn.link.limits import MAX_MAIL_LISTING
from blackthorn.ports.device_store import MailRecord
from blackthorn.programs.device import mail
from blackthorn.programs.device import program as device_program
from blackthorn.programs.device.program import DeviceProgram
from tests.support.device_home import activated
from tests.support.hostile_link import Answer, hostile_server

READY = f.Ready(1, 100, 0)
KNOWN = MailRecord(7, 10, 1, "bob@acme.example", "kept", "", False)


@pytest.fixture
def attacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Answer], Iterator[DeviceProgram]]:
    """A device with one known mail, whose server answers so."""

    @contextmanager
    def running(answer: Answer) -> Iterator[DeviceProgram]:
        def ready_first(frame: f.AnyFrame) -> list[f.AnyFrame]:
            return [READY] if isinstance(frame, f.Hello) else answer(frame)

        home, vault, _ = activated(tmp_path, monkeypatch)
        with hostile_server(tmp_path / "false", ready_first) as server:
            with vault.transaction() as records:
                records.settings.put("server", f"127.0.0.1:{server.port}".encode())
                records.settings.put("server-pin", server.pin)
                records.mail.put(KNOWN)
            vault.close()
            opened = home.open()
            yield DeviceProgram(home, opened)
            opened.vault.close()

    return running


def entries(first: int, size: int = 10) -> list[f.MailEntry]:
    return [f.MailEntry(first + number, size, 1) for number in range(MAX_MAIL_LISTING)]


def endless(frame: f.AnyFrame) -> list[f.AnyFrame]:
    if not isinstance(frame, f.ListMail):
        return []
    return [f.MailListing(frame.request, entries(frame.after + 1), True)]


def same_again(frame: f.AnyFrame) -> list[f.AnyFrame]:
    return [f.MailListing(frame.request, entries(8), True)] if isinstance(frame, f.ListMail) else []


def nothing_more(frame: f.AnyFrame) -> list[f.AnyFrame]:
    return [f.MailListing(frame.request, [], True)] if isinstance(frame, f.ListMail) else []


def too_large(frame: f.AnyFrame) -> list[f.AnyFrame]:
    size = limits.MAX_SEALED_BYTES + 1
    found = entries(8, size)[:1]
    return [f.MailListing(frame.request, found, False)] if isinstance(frame, f.ListMail) else []


def larger_than_listed(frame: f.AnyFrame) -> list[f.AnyFrame]:
    if isinstance(frame, f.ListMail):
        return [f.MailListing(frame.request, entries(8)[:1], False)]
    if isinstance(frame, f.FetchMail):
        return [f.MailChunk(frame.request, frame.uid, frame.offset, 10, bytes(11))]
    return []


def at_the_refresh(program: DeviceProgram) -> str:
    with pytest.raises(OverrunError) as ended:
        asyncio.run(mail.refresh(program))
    return str(ended.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (endless, "more than 3000 mails"),
        (same_again, "in another order than it came"),
        (nothing_more, "says that more mail follows and lists none"),
        (too_large, "larger than any"),
        (larger_than_listed, "in another size than it listed"),
    ],
)
def test_a_listing_beyond_its_bounds_is_an_alarm_and_the_device_keeps_what_it_has(
    attacked, monkeypatch: pytest.MonkeyPatch, answer: Answer, said: str
) -> None:
    monkeypatch.setattr(limits, "MAX_LISTED_MAILS", 3_000)
    with attacked(answer) as program:
        assert said in at_the_refresh(program)
        with program.opened.vault.transaction() as records:
            (alarm,) = open_alarms(records)
            assert alarm.code == "overrun" and said in alarm.text
            assert records.mail.all() == [KNOWN]


# --- Frames without end ---------------------------------------------------------------------------


def test_what_is_not_read_is_bounded_by_its_number_too(tmp_path: Path) -> None:
    """Of frames of a few bytes the device's objects take most memory."""
    sent = 200_000

    def flood(frame: f.AnyFrame) -> list[f.AnyFrame]:
        return [READY, *([f.KeyPackageStock(0)] * sent)] if isinstance(frame, f.Hello) else []

    async def scene(port: int, pin: Fingerprint) -> tuple[int, int]:
        link = await client.connect("127.0.0.1", port, pin)
        link.send(f.Hello(1, bytes(16), bytes(64)))
        async with asyncio.timeout(30):
            while True:
                if link._paused:
                    break
                await asyncio.sleep(0.01)
        most = len(link._frames)
        for _ in range(1 + sent):
            await link.receive()
            most = max(most, len(link._frames))
        return most, len(link._frames)

    with hostile_server(tmp_path / "false", flood) as server:
        most, rest = asyncio.run(scene(server.port, server.pin))
    assert client.MAX_UNREAD_FRAMES < most < sent // 2 and rest == 0


def test_a_server_that_pings_and_does_not_read_gets_no_pongs(tmp_path: Path) -> None:
    heard: list[f.AnyFrame] = []

    def ping(frame: f.AnyFrame) -> list[f.AnyFrame]:
        heard.append(frame)
        if isinstance(frame, f.Hello):
            return [READY, *([f.Ping(1)] * 10), f.KeyPackageStock(0)]
        return [f.Ping(2), f.MailListing(frame.request, [], False)] if len(heard) == 2 else []

    async def scene(port: int, pin: Fingerprint) -> None:
        link = await client.connect("127.0.0.1", port, pin)
        link.send(f.Hello(1, bytes(16), bytes(64)))
        link.pause_writing()
        assert isinstance(await link.receive(), f.Ready)
        assert isinstance(await link.receive(), f.KeyPackageStock)
        link.resume_writing()
        link.send(f.ListMail(1, 0))
        assert isinstance(await link.receive(), f.MailListing)
        await link.close()

    with hostile_server(tmp_path / "false", ping) as server:
        asyncio.run(scene(server.port, server.pin))
    assert [frame.nonce for frame in heard if isinstance(frame, f.Pong)] == [2]


def test_a_server_that_ends_each_link_at_once_is_tried_with_growing_pauses(
    attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds: list[float] = []

    class EnoughError(Exception):
        """Five pauses were made."""

    class Recording(device_program.Backoff):
        def pause(self) -> float:
            bounds.append(self._longest)
            super().pause()
            if len(bounds) == 5:
                raise EnoughError
            return 0.0

    monkeypatch.setattr(device_program, "Backoff", Recording)
    with attacked(lambda frame: [f.Bye("going", "")]) as program, pytest.raises(EnoughError):
        asyncio.run(program.follow(lambda: None, lambda error: None))
    assert bounds == [1, 2, 4, 8, 16]
