"""The log's side of the witness protocol: ask all witnesses at once, pass on cosignatures.

One task per witness, so that a missing one delays nobody. A witness's line must be a cosignature of
this very checkpoint, which the ledger checks again. A witness ahead of the log, or with another
tree of its size, has seen another state of this log: the ledger gets the size, or the signed note.
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
"""Requests in a row while a witness only corrects our assumption of its size."""

_GRACE_SECONDS: Final = 0.2
"""How long further witnesses are waited for, after the first answer."""


class Tasks(Protocol):
    """Supervised tasks of the program (`programs.periodic`)."""

    def keep(self, name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Repeat `work`; report an error and continue after a pause."""


class Waiting(Protocol):
    """A checkpoint that waits for cosignatures; the log has signed its note."""

    @property
    def note(self) -> bytes: ...
    @property
    def size(self) -> int: ...
    @property
    def root(self) -> bytes: ...

    def consistency(self, old_size: int) -> list[bytes]:
        """The proof from a smaller or equal size."""


class CosignedLedger(Protocol):
    """The ledger as the witness client uses it."""

    @property
    def waiting(self) -> Waiting | None:
        """The checkpoint to cosign."""

    def cosigned(self, lines: Sequence[str], now_ms: int) -> None:
        """Signature lines over the pending checkpoint."""

    def behind(self, shown: bytes | int, now_ms: int) -> None:
        """A witness knows another state of this log: its signed note, or its size."""


@dataclass
class Peer:
    """One witness and its state. Times are Unix milliseconds, 0 for never.

    Without an address it is not asked; set one, then `wanted`.
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
        """Ask every witness about a new checkpoint."""
        waiting = self._ledger.waiting
        note = None if waiting is None else _text(waiting.note)
        if note != self._noted:
            self._noted = note
            for peer in self.peers:
                peer.wanted.set()

    async def ask_first(self, published: Waiting | None) -> None:
        """At the start, find out whether a witness knows a newer state of the ledger.

        Each is shown the published checkpoint; the ledger is told of a witness at another state. An
        unreachable witness is skipped.
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
        """Wait until the witness is wanted, and ask it once."""
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
        """The lines over the pending checkpoint."""
        waiting = self._ledger.waiting
        note = None if waiting is None else _text(waiting.note)
        return [peer.line[1] for peer in self.peers if peer.line and peer.line[0] == note]

    def _hand_on_if_all(self) -> None:
        """Pass the lines on once no witness without a failure is missing."""
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
        """The witness's line. Raises VerificationError, InputError, UnavailableError."""
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
        """Tell the ledger, with the note that the witness publishes if the log signed it."""
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
        """Status, media type and bounded body. Raises InputError, httpx' errors."""
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
"""Errors of a request that are the witness's."""


def address_problem(url: str) -> str:
    """Why no witness answers at that address, as in "cannot be reached (…)"; empty if one does.

    It is sent an empty request, which a witness refuses. Blocks for seconds at most.
    """
    try:
        with httpx.stream(
            "POST",
            f"{url.rstrip('/')}/add-checkpoint",
            content=b"",
            timeout=http_limits.WITNESS_PROBE_SECONDS,
            trust_env=False,
        ) as answer:
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return _say(error)
    refused = httpx.codes.is_client_error(status) and status not in (404, 405)
    return "" if refused else f"answers {status}, as no witness does"


def _say(error: BaseException) -> str:
    if isinstance(error, BlackthornError):
        return str(error)
    return f"cannot be reached ({type(error).__name__})"


def _text(note: bytes) -> bytes:
    return note.rpartition(b"\n\n")[0]
