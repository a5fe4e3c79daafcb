"""The log's side of the witness protocol, over real sockets: honest, missing and rude witnesses."""

import asyncio
import contextlib
import re
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from blackthorn.audit.fork_evidence import fork_evidence
from blackthorn.edges.http import limits
from blackthorn.edges.http.server import application, serve_http
from blackthorn.edges.http.witness import witness_app
from blackthorn.edges.http.witness_client import Peer, WitnessClient
from blackthorn.programs.periodic import Supervisor
from blackthorn.programs.witness.witness import Witness
from blackthorn.server.counters import Counters
from blackthorn.server.ledger.epochs import Pending
from blackthorn.storage.files.anchor import Anchor
from blackthorn.storage.files.evidence import EvidenceFolder
from blackthorn.storage.files.witness import WitnessFolder, initialise
from blackthorn.tlog.checkpoint import open_checkpoint
from blackthorn.tlog.cosignature import add_lines, verify_line
from blackthorn.wire.note import parse_note, parse_signature_line
from tests.support.witness_process import Log

SECONDS = 1
NOW_MS = 1_700_000_000_000


class Clock:
    def wall_ms(self) -> int:
        return NOW_MS

    def monotonic(self) -> float:
        return time.monotonic()


class Ledger:
    """What waits, until so many cosignatures have come."""

    def __init__(self, log: Log, quorum: int) -> None:
        self.log = log
        self.quorum = quorum
        self.waiting: Pending | None = None
        self.handed: list[list[str]] = []
        self.newer: list[bytes | int] = []
        self.done = asyncio.Event()

    def offer(self) -> Pending:
        tree = self.log.tree
        self.done.clear()
        self.waiting = Pending(self.log.note(), tree.size, tree.root(), tree)
        return self.waiting

    def cosigned(self, lines: list[str], now_ms: int) -> None:
        assert now_ms == NOW_MS and self.waiting is not None
        self.handed.append(list(lines))
        if len(lines) >= self.quorum:
            self.waiting = None
            self.done.set()

    def behind(self, shown: bytes | int, now_ms: int) -> None:
        self.newer.append(shown)
        self.done.set()


class Own:
    """A real witness on a folder of its own, its state known to the test."""

    def __init__(self, path: Path, log: Log, name: str) -> None:
        self.key = initialise(path, name, secrets.token_bytes)
        place = WitnessFolder(path)
        self.store = place.open_store()
        self.store.add_log(log.signer.vkey, 0)
        self.evidence = EvidenceFolder(place.evidence, fork_evidence)
        self.now_s = NOW_MS // 1000
        self.witness = Witness(
            place.cosigner(),
            self.store,
            Anchor.open(place.anchor),
            lambda: self.now_s,
            self.evidence,
        )


@contextlib.asynccontextmanager
async def served(*routes: Route, app: object = None) -> AsyncIterator[str]:
    server = await serve_http(app or application(list(routes)), "a witness", "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        await server.close()


@contextlib.asynccontextmanager
async def client(ledger: Ledger, *peers: Peer) -> AsyncIterator[WitnessClient]:
    log = ledger.log.signer.vkey
    async with Supervisor(Counters()) as tasks:
        made = WitnessClient(ledger, log, list(peers), Clock(), SECONDS, tasks)
        async with made:
            yield made


def answering(status: int, body: bytes, kind: str = "text/plain") -> Route:
    async def answer(request: Request) -> Response:
        return Response(body, status, {"Content-Type": kind})

    return Route("/add-checkpoint", answer, methods=["POST"])


@pytest.fixture
def log() -> Log:
    log = Log()
    log.grow(7)
    return log


def dead_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


# --- Witnesses that keep to the protocol --------------------------------------------------


def test_all_witnesses_are_asked_and_their_lines_handed_on_together(
    tmp_path: Path, log: Log
) -> None:
    async def scenario() -> None:
        own = [Own(tmp_path / str(n), log, f"w{n}.example") for n in range(3)]
        async with contextlib.AsyncExitStack() as stack:
            peers = [
                Peer(each.key.name, each.key, await stack.enter_async_context(
                    served(app=witness_app(each.witness)))
                )
                for each in own
            ]  # fmt: skip
            ledger = Ledger(log, quorum=3)
            asking = await stack.enter_async_context(client(ledger, *peers))
            for _ in range(3):
                waiting = ledger.offer()
                asking.look()
                async with asyncio.timeout(5):
                    await ledger.done.wait()
                (lines,) = ledger.handed
                ledger.handed.clear()
                checkpoint, _ = open_checkpoint(waiting.note, log.signer.vkey)
                note = parse_note(add_lines(waiting.note, lines))
                for each in own:
                    (line,) = note.lines_of(each.key)
                    assert verify_line(line, each.key, checkpoint) == NOW_MS // 1000
                assert {parse_signature_line(line).name for line in lines} == {
                    each.key.name for each in own
                }
                assert all(peer.cosigned_ms == NOW_MS and not peer.problem for peer in peers)
                log.grow(5)

    asyncio.run(scenario())


def test_a_missing_witness_delays_nothing_while_the_quorum_stands(tmp_path: Path, log: Log) -> None:
    async def scenario() -> None:
        own = Own(tmp_path / "w", log, "w.example")
        async with served(app=witness_app(own.witness)) as url:
            ledger = Ledger(log, quorum=1)
            dead = Peer("dead", Log(seed=9).signer.vkey, dead_url())
            async with client(ledger, dead, Peer("w", own.key, url)) as asking:
                ledger.offer()
                asking.look()
                async with asyncio.timeout(SECONDS):
                    await ledger.done.wait()
                assert "cannot be reached" in dead.problem

    asyncio.run(scenario())


def test_a_witness_that_comes_back_is_asked_again(tmp_path: Path, log: Log) -> None:
    async def scenario() -> None:
        own = Own(tmp_path / "w", log, "w.example")
        ledger = Ledger(log, quorum=1)
        peer = Peer("w", own.key, dead_url())
        async with client(ledger, peer) as asking:
            ledger.offer()
            asking.look()
            await asyncio.sleep(0.6)
            assert peer.failures and not ledger.handed
            async with served(app=witness_app(own.witness)) as url:
                peer.url = url
                async with asyncio.timeout(limits.WITNESS_RETRY_MOST_SECONDS + 1):
                    await ledger.done.wait()
        assert peer.failures == 0 and peer.problem == ""

    asyncio.run(scenario())


def test_the_proof_starts_where_the_witness_is(tmp_path: Path, log: Log) -> None:
    async def scenario() -> None:
        own = Own(tmp_path / "w", log, "w.example")
        own.witness.add_checkpoint(log.request(0, 3))
        async with served(app=witness_app(own.witness)) as url:
            ledger = Ledger(log, quorum=1)
            async with client(ledger, Peer("w", own.key, url)) as asking:
                ledger.offer()
                asking.look()
                async with asyncio.timeout(5):
                    await ledger.done.wait()
        assert len(ledger.handed) == 1 and ledger.newer == []

    asyncio.run(scenario())


# --- Witnesses that know another state of this log ----------------------------------------


def behind(tmp_path: Path, log: Log, prepare: Callable[[Own], None], first: bool) -> list[object]:
    """What the ledger is told when its witness was prepared so."""

    async def scenario() -> list[object]:
        own = Own(tmp_path / "w", log, "w.example")
        prepare(own)
        async with served(app=witness_app(own.witness)) as url:
            ledger = Ledger(log, quorum=1)
            async with client(ledger, Peer("w", own.key, url)) as asking:
                if first:
                    await asking.ask_first(ledger.offer())
                else:
                    ledger.offer()
                    asking.look()
                async with asyncio.timeout(5):
                    await ledger.done.wait()
                assert not ledger.handed
                return list(ledger.newer)

    return asyncio.run(scenario())


@pytest.mark.parametrize("first", [False, True])
def test_a_witness_that_is_further_shows_the_newer_note(
    tmp_path: Path, log: Log, first: bool
) -> None:
    later = Log()
    later.grow(12)
    told = behind(tmp_path, log, lambda own: own.witness.add_checkpoint(later.request(0)), first)
    assert isinstance(told[0], bytes)
    assert open_checkpoint(told[0], log.signer.vkey)[0].size == 12


def test_a_checkpoint_is_cosigned_again_when_the_ledger_asks_for_it(
    tmp_path: Path, log: Log
) -> None:
    """So the ledger learns at a start what time it is, before it dates a head."""

    async def scenario() -> None:
        own = Own(tmp_path / "w", log, "w.example")
        own.witness.add_checkpoint(log.request(0))
        async with served(app=witness_app(own.witness)) as url:
            ledger = Ledger(log, quorum=1)
            async with client(ledger, Peer("w", own.key, url)) as asking:
                offer = ledger.offer()
                await asking.ask_first(offer)
                asking.look()
                async with asyncio.timeout(5):
                    await ledger.done.wait()
        assert ledger.handed and not ledger.newer

    asyncio.run(scenario())


@pytest.mark.parametrize("size", [4, 7])
def test_a_witness_that_saw_another_tree_shows_its_note(
    tmp_path: Path, log: Log, size: int
) -> None:
    fork = Log()
    fork.grow(size, "another")
    told = behind(tmp_path, log, lambda own: own.witness.add_checkpoint(fork.request(0)), False)
    assert isinstance(told[0], bytes)
    assert open_checkpoint(told[0], log.signer.vkey)[0].size == size


def test_a_size_alone_counts_where_no_note_is_shown(log: Log) -> None:
    async def scenario() -> None:
        async with served(answering(409, b"99\n", "text/x.tlog.size")) as url:
            ledger = Ledger(log, quorum=1)
            async with client(ledger, Peer("w", Log(seed=3).signer.vkey, url)) as asking:
                ledger.offer()
                asking.look()
                async with asyncio.timeout(5):
                    await ledger.done.wait()
        assert ledger.newer[0] == 99

    asyncio.run(scenario())


def test_before_anything_is_published_a_witness_is_asked_for_what_it_has(
    tmp_path: Path, log: Log
) -> None:
    async def scenario() -> None:
        own = Own(tmp_path / "w", log, "w.example")
        own.witness.add_checkpoint(log.request(0))
        async with served(app=witness_app(own.witness)) as url:
            ledger = Ledger(log, quorum=1)
            async with client(ledger, Peer("w", own.key, url), Peer("x", own.key, "")) as asking:
                await asking.ask_first(None)
        assert len(ledger.newer) == 1

    asyncio.run(scenario())


# --- Rude witnesses -----------------------------------------------------------------------


async def endless(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        while not await request.is_disconnected():
            yield b"x" * 65_536

    return StreamingResponse(pieces())


async def silent(request: Request) -> Response:
    await asyncio.sleep(30)
    return Response()


async def elsewhere(request: Request) -> Response:
    return RedirectResponse("http://127.0.0.1:1/")


FOREIGN = Log(seed=5)
FOREIGN.grow(7)

RUDE = {
    "an endless answer": (Route("/add-checkpoint", endless, methods=["POST"]), "answers more"),
    "no answer": (Route("/add-checkpoint", silent, methods=["POST"]), "cannot be reached"),
    "a redirect": (Route("/add-checkpoint", elsewhere, methods=["POST"]), "answers 307"),
    "an error": (answering(500, b"oops\nmore\n"), "answers 500: oops"),
    "nothing": (answering(200, b""), r"\[W15\]"),
    "no lines": (answering(200, b"\xff\xfe\n"), r"\[N2\]"),
    "another's line": (answering(200, "— w AAAAAAA=\n".encode()), r"\[W16\]"),
    "a size that is none": (answering(409, b"x\n", "text/x.tlog.size"), r"\[W14\]"),
    "a size without its type": (answering(409, b"3\n"), r"\[W14\]"),
    "sizes without end": (answering(409, b"3\n", "text/x.tlog.size"), "does not stay"),
}


@pytest.mark.parametrize("kind", RUDE)
def test_a_rude_witness_is_told_of_and_counts_for_nothing(log: Log, kind: str) -> None:
    route, problem = RUDE[kind]

    async def scenario() -> Peer:
        async with served(route) as url:
            ledger = Ledger(log, quorum=1)
            peer = Peer("w", FOREIGN.signer.vkey, url)
            async with client(ledger, peer) as asking:
                ledger.offer()
                asking.look()
                for _ in range(200):
                    if peer.problem:
                        break
                    await asyncio.sleep(0.02)
            assert ledger.handed == [] and ledger.newer == []
            return peer

    assert re.search(problem, asyncio.run(scenario()).problem)
