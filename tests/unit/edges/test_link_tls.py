"""TLS by memory BIOs: what passes, what waits, and how a connection ends."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blackthorn.edges import limits
from blackthorn.edges.link.tls import TlsTransport
from blackthorn.edges.tls import ServerTls, binding_of, client_context, server_tls
from blackthorn.programs.server.folder import initialise


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ServerTls:
    folder: Path = tmp_path_factory.mktemp("tls") / "server"
    made = initialise(folder, "acme.example", {})
    return server_tls(made.key, made.certificate)


class Timer:
    def __init__(self, seconds: float, call: Callable[[], None]) -> None:
        self.seconds, self.call, self.cancelled = seconds, call, False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """Calls nothing by itself."""

    def __init__(self) -> None:
        self.timers: list[Timer] = []
        self.soon: list[Callable[[], None]] = []

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(seconds, call))
        return self.timers[-1]

    def call_soon(self, call: Callable[[], None]) -> None:
        self.soon.append(call)


class Socket:
    """The transport below: what was written, and how it stands."""

    def __init__(self) -> None:
        self.written = b""
        self.reading, self.closing, self.aborted = True, False, False
        self.ended = False
        self.waiting = 0

    def set_write_buffer_limits(self, high: int) -> None:
        self.high = high

    def write(self, data: bytes) -> None:
        self.written += data
        self.waiting += len(data)

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def write_eof(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.closing = self.aborted = True


class Connection:
    """A server's connection in memory with a client, and what the server's inner side heard."""

    def __init__(self, tls: ServerTls) -> None:
        self.loop, self.socket = Loop(), Socket()
        self.heard = b""
        self.events: list[str] = []
        self.on_heard: Callable[[], None] = lambda: None
        loop: Any = self.loop
        self.transport = TlsTransport(tls.context, self, loop, lambda: self.events.append("failed"))
        self.transport.connection_made(self.socket)
        self._to, self._from = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client_context(tls.fingerprint).wrap_bio(self._to, self._from)

    def connected(self, transport: TlsTransport) -> None:
        assert transport is self.transport
        self.events.append("connected")

    def received(self, data: memoryview) -> None:
        self.heard += data
        self.on_heard()

    def disconnected(self) -> None:
        self.events.append("disconnected")

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")

    def carry(self, step: int = 1 << 20) -> None:
        """What the client has written goes to the server, and the other way."""
        told = self._from.read()
        for start in range(0, len(told), step):
            self.transport.data_received(told[start : start + step])
        self._to.write(self.socket.written)
        self.socket.written = b""

    def shake(self, step: int = 1 << 20) -> "Connection":
        while True:
            try:
                self.client.do_handshake()
            except ssl.SSLWantReadError:
                self.carry(step)
                continue
            self.carry(step)
            return self

    def say(self, data: bytes) -> None:
        self.client.write(data)

    def hear(self) -> bytes:
        found = b""
        while True:
            try:
                part = self.client.read(1 << 20)
            except ssl.SSLWantReadError:
                return found
            except ssl.SSLZeroReturnError:
                part = b""
            if not part:
                return found + b"(end)"
            found += part


@pytest.mark.parametrize("step", [1, 7, 300, 1 << 20])
def test_what_one_side_says_the_other_hears_however_it_is_cut(tls: ServerTls, step: int) -> None:
    made = Connection(tls).shake(step)
    assert made.events == ["connected"]
    for size in (1, 16_384, 16_385, 100_000 if step > 1 else 20_000):
        said = bytes(at % 251 for at in range(size))
        made.heard = b""
        made.say(said)
        made.transport.write(said)
        made.carry(step)
        assert made.heard == said
        assert made.hear() == said


def test_both_sides_have_one_binding(tls: ServerTls) -> None:
    made = Connection(tls).shake()
    bound = binding_of(made.transport.ssl_object, tls.fingerprint)
    assert bound == binding_of(made.client, tls.fingerprint)


def test_who_speaks_no_tls_has_failed(tls: ServerTls) -> None:
    made = Connection(tls)
    made.transport.data_received(b"GET / HTTP/1.1\r\n\r\n")
    assert made.socket.aborted and made.heard == b""
    made.transport.connection_lost(None)
    assert made.events == ["failed"]


def test_who_does_not_begin_is_ended_in_time(tls: ServerTls) -> None:
    silent, made = Connection(tls), Connection(tls).shake()
    (timer,) = silent.loop.timers
    assert timer.seconds == limits.HANDSHAKE_SECONDS
    timer.call()
    silent.transport.connection_lost(None)
    assert silent.socket.aborted and silent.events == ["failed"]
    (timer,) = made.loop.timers
    assert not timer.cancelled  # TLS alone is no link yet
    made.transport.begin()
    assert timer.cancelled


def test_a_pause_holds_what_was_read_already(tls: ServerTls) -> None:
    made = Connection(tls).shake()
    made.on_heard = made.transport.pause_reading
    said = [bytes([at]) * 10_000 for at in range(5)]
    for each in said:
        made.say(each)
    made.carry()
    assert made.heard == said[0] and not made.socket.reading
    heard = said[0]
    for each in said[1:]:
        made.transport.resume_reading()
        assert made.heard == heard  # not from within the caller
        made.loop.soon.pop()()
        heard += each
        assert made.heard == heard
        assert not made.socket.reading  # or what is held would grow
    made.on_heard = lambda: None
    made.transport.resume_reading()
    made.loop.soon.pop()()
    made.say(b"more")
    made.carry()
    assert made.heard == heard + b"more" and made.socket.reading


def test_a_pause_taken_back_at_once_holds_nothing(tls: ServerTls) -> None:
    made = Connection(tls).shake()

    def on_heard() -> None:
        made.transport.pause_reading()
        made.transport.resume_reading()

    made.on_heard = on_heard
    for _ in range(3):
        made.say(b"x" * 10_000)
    made.carry()
    assert len(made.heard) == 30_000 and made.loop.soon == []


def test_the_end_is_said_and_does_not_wait_for_ever(tls: ServerTls) -> None:
    made = Connection(tls).shake()
    made.transport.begin()
    made.transport.write(b"the last word")
    made.transport.close()
    made.transport.write(b"too late")
    made.say(b"nobody listens")
    made.carry()
    assert made.hear() == b"the last word(end)"
    assert made.heard == b"" and made.socket.ended and not made.socket.aborted
    assert made.loop.timers[-1].seconds == limits.SHUTDOWN_SECONDS
    made.loop.timers[-1].call()
    assert made.socket.aborted
    made.transport.connection_lost(None)
    assert made.events == ["connected", "disconnected"] and made.loop.timers[-1].cancelled


def test_what_comes_after_the_end_is_read_and_dropped(tls: ServerTls) -> None:
    """A socket that is closed with something unread is reset, and may lose the last word."""
    made = Connection(tls).shake()
    made.transport.pause_reading()
    made.say(b"x" * 20_000)
    made.carry()
    made.transport.write(b"the last word")
    made.transport.close()
    assert made.socket.reading and made.socket.ended and not made.socket.closing
    made.say(b"more")
    made.carry()
    assert made.heard == b"" and made.hear() == b"the last word(end)"
    assert made.transport.eof_received() is False  # the loop ends it


def test_nothing_passes_once_the_inner_side_has_closed(tls: ServerTls) -> None:
    made = Connection(tls).shake()
    made.on_heard = made.transport.close
    made.say(b"x" * 20_000)
    made.say(b"y")
    made.carry()
    assert made.heard == b"x" * 16_384


def test_the_peers_end_is_answered_with_ours(tls: ServerTls) -> None:
    made = Connection(tls).shake()
    made.say(b"bye")
    with pytest.raises(ssl.SSLWantReadError):
        made.client.unwrap()
    made.carry()
    assert made.heard == b"bye" and made.socket.ended
    assert made.hear() == b"(end)"


def test_altered_bytes_end_it_with_an_alert(tls: ServerTls) -> None:
    made = Connection(tls).shake()
    made.say(b"x")
    told = bytearray(made._from.read())
    told[-1] ^= 1
    made.transport.data_received(bytes(told))
    assert made.heard == b"" and made.socket.ended and made.socket.written


def test_the_pressure_of_the_socket_is_passed_on(tls: ServerTls) -> None:
    made = Connection(tls)
    made.transport.pause_writing()  # while the handshake goes on, nobody writes
    made.transport.resume_writing()
    made.shake()
    made.transport.pause_writing()
    made.transport.resume_writing()
    assert made.events == ["connected", "pause", "resume"]


def test_too_much_at_once_is_said_before_the_loop_writes(tls: ServerTls) -> None:
    """One turn may answer thousands of frames, and the loop writes after it."""
    made = Connection(tls).shake()
    for _ in range(30):
        made.transport.write(b"x" * 10_000)
    assert made.events == ["connected", "pause"]
    (look,) = made.loop.soon
    made.loop.soon.clear()
    look()  # the loop has not written yet
    assert made.events == ["connected", "pause"] and made.loop.soon == [look]
    made.socket.waiting = 0
    look()
    assert made.events == ["connected", "pause", "resume"]
    for _ in range(30):
        made.transport.write(b"x" * 10_000)
    made.transport.pause_writing()  # the peer reads nothing
    made.socket.waiting = 0
    made.loop.soon.pop()()
    assert made.events == ["connected", "pause", "resume", "pause"]
    made.transport.resume_writing()
    assert made.events == ["connected", "pause", "resume", "pause", "resume"]
