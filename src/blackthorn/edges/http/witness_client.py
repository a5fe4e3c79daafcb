"""The log's side of the witness protocol: ask every witness at once, hand on what holds.

One task a witness, so that a missing one delays nobody. What a witness says is checked here
(its line must be a cosignature of just this checkpoint) and again by the ledger. A witness that
is further than the log, or has seen another tree of its size, has seen another state of this
log: the ledger is told, with the signed note if the witness shows it.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol, Self

import httpx

from blackthorn.edges.http import limits as http_limits
from blackthorn.errors import BlackthornError, InputError, UnavailableError, VerificationError
from blackthorn.ports.clock import Clock
from blackthorn.tlog import limits as tlog_limits
from blackthorn.tlog import witness
from blackthorn.tlog.checkpoint import Checkpoint, open_checkpoint
from blackthorn.wire.note import VerifierKey

_TRIES: Final = 3
"""Requests in a row while a witness only corrects the size that we thought it was at."""

_GRACE_SECONDS: Final = 0.2
"""So long those witnesses that answer are waited for, after the first of them has."""


class Tasks(Protocol):
    """Named tasks that the program supervises and ends (`programs.periodic`)."""

    def keep(self, name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Do `work` again whenever it ends; report what it raises, and go on after a pause."""


class Waiting(Protocol):
    """A checkpoint that waits for cosignatures."""

    @property
    def note(self) -> bytes:
        """Signed by the log."""

    @property
    def size(self) -> int: ...

    @property
    def root(self) -> bytes: ...

    def consistency(self, old_size: int) -> list[bytes]:
        """The proof from a size that is not larger."""


class CosignedLedger(Protocol):
    """The ledger, as far as its witnesses are concerned."""

    @property
    def waiting(self) -> Waiting | None:
        """What witnesses should sign now."""

    def cosigned(self, lines: Sequence[str], now_ms: int) -> None:
        """Signature lines over what waits."""

    def behind(self, shown: bytes | int, now_ms: int) -> None:
        """A witness knows another state of this log: its signed note, or only its size."""


@dataclass
class Peer:
    """One witness, and how it stands with us. Times are Unix milliseconds, 0 for never.

    Without an address it is not asked; give it one, then set `wanted`.
    """

    name: str
    key: VerifierKey
    url: str
    size: int = 0
    cosigned_ms: int = 0
    problem: str = ""
    failures: int = 0
    line: tuple[bytes, str] | None = None
    wanted: asyncio.Event = field(default_factory=asyncio.Event)


class WitnessClient:
    """Asks the witnesses `peers`; call `look` whenever the ledger may have something new."""

    def __init__(
        self,
        ledger: CosignedLedger,
        log: VerifierKey,
        peers: list[Peer],
        clock: Clock,
        seconds: int,
        tasks: Tasks,
    ) -> None:
        self.peers: Final = peers
        self._ledger = ledger
        self._log = log
        self._clock = clock
        self._seconds = seconds
        self._noted: bytes | None = None
        self._flush: asyncio.TimerHandle | None = None
        self._tasks = tasks
        self._attending: list[asyncio.Task[None]] = []
        self._http = httpx.AsyncClient(
            headers={"Accept-Encoding": "identity", "User-Agent": "blackthorn"},
            trust_env=False,
            follow_redirects=False,
            timeout=seconds,
        )

    async def __aenter__(self) -> Self:
        self._attending = [
            self._tasks.keep(f"asking the witness {peer.name}", partial(self._attend, peer))
            for peer in self.peers
        ]
        return self

    async def __aexit__(self, *failure: object) -> None:
        for task in self._attending:
            task.cancel()
        await asyncio.gather(*self._attending, return_exceptions=True)
        if self._flush is not None:
            self._flush.cancel()
        await self._http.aclose()

    def look(self) -> None:
        """Have every witness asked, if there is a checkpoint that it was not asked about yet."""
        waiting = self._ledger.waiting
        note = None if waiting is None else _text(waiting.note)
        if note != self._noted:
            self._noted = note
            for peer in self.peers:
                peer.wanted.set()

    async def ask_first(self, published: Waiting | None) -> None:
        """Find out, before the ledger goes on, whether a witness knows a newer state of it.

        Each is shown what is published; the ledger is told of whoever is elsewhere. A witness
        that cannot be reached is left out.
        """

        async def ask(peer: Peer) -> None:
            try:
                async with asyncio.timeout(self._seconds):
                    if published is None:
                        await self._tell_behind(peer, None)
                    else:
                        await self._ask(peer, published)
                        peer.size = published.size
            except _FAILURES as error:
                peer.problem = _say(error)

        await asyncio.gather(*(ask(peer) for peer in self.peers if peer.url))

    async def _attend(self, peer: Peer) -> None:
        """Wait until one witness is wanted, and ask it once. Called again and again."""
        await peer.wanted.wait()
        waiting = self._ledger.waiting
        done = waiting is not None and peer.line and peer.line[0] == _text(waiting.note)
        if waiting is None or done or not peer.url:
            peer.wanted.clear()
            return
        try:
            async with asyncio.timeout(self._seconds):
                line = await self._ask(peer, waiting)
        except _FAILURES as error:
            await self._failed(peer, _say(error))
        except Exception:
            self._note_failure(peer, "could not be asked")
            raise
        else:
            self._agreed(peer, waiting, line)

    def _note_failure(self, peer: Peer, problem: str) -> None:
        peer.failures += 1
        peer.problem = problem
        self._hand_on_if_all()

    async def _failed(self, peer: Peer, problem: str) -> None:
        pause = http_limits.WITNESS_RETRY_SECONDS * 2 ** min(peer.failures, 10)
        self._note_failure(peer, problem)
        await asyncio.sleep(min(pause, http_limits.WITNESS_RETRY_MOST_SECONDS))

    def _agreed(self, peer: Peer, waiting: Waiting, line: str) -> None:
        peer.size = waiting.size
        peer.failures, peer.problem = 0, ""
        peer.cosigned_ms = self._clock.wall_ms()
        peer.line = (_text(waiting.note), line)
        self._hand_on_if_all()
        if self._flush is None and self._current_lines():
            self._flush = asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._hand_on)

    def _current_lines(self) -> list[str]:
        """The lines over what waits now."""
        waiting = self._ledger.waiting
        note = None if waiting is None else _text(waiting.note)
        return [peer.line[1] for peer in self.peers if peer.line and peer.line[0] == note]

    def _hand_on_if_all(self) -> None:
        """At once, when nobody is left who answers."""
        asked = sum(not peer.failures for peer in self.peers)
        if (lines := self._current_lines()) and len(lines) >= asked:
            self._hand_on()

    def _hand_on(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        if lines := self._current_lines():
            self._ledger.cosigned(lines, self._clock.wall_ms())
            self.look()

    async def _ask(self, peer: Peer, waiting: Waiting) -> str:
        """The witness's line; raises VerificationError, InputError or UnavailableError."""
        for _ in range(_TRIES):
            old = min(peer.size, waiting.size)
            proof = tuple(waiting.consistency(old))
            request = witness.format_add_checkpoint(witness.AddCheckpoint(old, proof, waiting.note))
            status, kind, body = await self._send(peer, "POST", "add-checkpoint", request)
            checkpoint = Checkpoint(self._log.name, waiting.size, waiting.root)
            if status == 200:
                return witness.parse_cosignatures(body, peer.key, checkpoint)
            if status != 409:
                said = body[:200].decode("utf-8", "replace").split("\n")[0]
                if status == 422:
                    await self._tell_behind(peer, None)
                raise UnavailableError(f"answers {status}: {said}")
            peer.size = witness.parse_conflict(kind, body)
            if peer.size > waiting.size:
                await self._tell_behind(peer, peer.size)
                raise UnavailableError(f"is at size {peer.size}, beyond ours of {waiting.size}")
        raise UnavailableError("does not stay at one size")

    async def _tell_behind(self, peer: Peer, size: int | None) -> None:
        """Tell the ledger, with the note that the witness shows monitors if it is the log's."""
        origin = hashlib.sha256(self._log.name.encode()).hexdigest()
        note: bytes | None = None
        try:
            status, _, body = await self._send(peer, "GET", f"{origin}/checkpoint", None)
            if status == 200:
                open_checkpoint(body, self._log)
                note = body
        except (httpx.HTTPError, InputError, VerificationError):
            pass
        if note is not None:
            self._ledger.behind(note, self._clock.wall_ms())
        elif size is not None:
            self._ledger.behind(size, self._clock.wall_ms())

    async def _send(
        self, peer: Peer, method: str, path: str, body: bytes | None
    ) -> tuple[int, str, bytes]:
        """Status, media type and bounded body of an answer. Raises InputError, httpx' errors."""
        url = f"{peer.url.rstrip('/')}/{path}"
        async with self._http.stream(method, url, content=body) as answer:
            read = bytearray()
            async for piece in answer.aiter_raw():
                read += piece
                if len(read) > tlog_limits.MAX_WITNESS_ANSWER_BYTES:
                    raise InputError("answers more than a witness may")
            return answer.status_code, answer.headers.get("Content-Type", ""), bytes(read)


_FAILURES: Final = (
    TimeoutError,
    httpx.HTTPError,
    httpx.InvalidURL,
    UnavailableError,
    InputError,
    VerificationError,
)
"""How asking a witness may fail without a fault of ours."""


def _say(error: BaseException) -> str:
    if isinstance(error, BlackthornError):
        return str(error)
    return f"cannot be reached ({type(error).__name__})"


def _text(note: bytes) -> bytes:
    """What of a note its lines do not change."""
    return note.rpartition(b"\n\n")[0]
