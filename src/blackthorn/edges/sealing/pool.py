"""The pool of sealing workers: mails in, sealed mails out; a crashing mail cannot crash the server.

When a worker dies or hangs, its mails are deferred (451); the one it died of is refused for good at
its third try. Workers start with the first mail and end when idle or after many mails, and their
memory with its plaintext.
"""

import asyncio
import hashlib
import os
import sys
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final

import msgspec

from blackthorn.edges.sealing import limits
from blackthorn.edges.sealing.worker import SealAnswer, SealRequest, head
from blackthorn.mail.authentication.questions import Question
from blackthorn.mail.errors import MailRefusedError
from blackthorn.server.counters import Counters
from blackthorn.wire.units import MIB

_KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
_READ_AHEAD = MIB
_END_SECONDS = 2
_MAX_POISON = 1_024


def _put_off() -> MailRefusedError:
    return MailRefusedError(451, "4.3.0", "the mail could not be sealed now; try again")


@dataclass(frozen=True, slots=True)
class SealedMails:
    """A worker's answer: the mails by recipient, or the `questions` to be answered first.

    `asked`, `summary` and `place` are those of `edges.sealing.worker.SealAnswer`.
    """

    mails: list[bytearray]
    questions: tuple[Question, ...] = ()
    asked: tuple[Question, ...] = ()
    summary: str = ""
    place: str = ""


@dataclass(slots=True)
class _Job:
    head: bytes
    content: bytearray
    answer: asyncio.Future[SealedMails]


class _Worker:
    """One process and its jobs, oldest first."""

    def __init__(self, pool: "SealingPool") -> None:
        self.jobs: deque[_Job] = deque()
        self.process: asyncio.subprocess.Process | None = None
        self.doomed = False
        self.ready = False
        self._pool = pool
        self._written = 0
        self._taken = 0
        self._idle: asyncio.TimerHandle | None = None
        self._task = asyncio.get_running_loop().create_task(self._run())

    def submit(self, job: _Job) -> None:
        """Queue a job; it is written now, or once the process has started."""
        if self._idle is not None:
            self._idle.cancel()
        self.jobs.append(job)
        self._taken += 1
        if self._taken >= limits.MAX_MAILS_PER_SEALING_WORKER:
            self.doomed = True  # it finishes its jobs, and ends
        self._write()

    def kill(self) -> None:
        """End the process, which gets no more jobs; `_run` then answers its jobs."""
        self.doomed = True
        if self.process is not None and self.process.returncode is None:
            self.process.kill()

    async def close(self) -> None:
        """End the process by closing its input, and wait."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
        elif self.process is None:
            self._task.cancel()
        await asyncio.wait({self._task}, timeout=_END_SECONDS)
        self.kill()
        await asyncio.gather(self._task, return_exceptions=True)

    def _write(self) -> None:
        if self.process is None or self.process.stdin is None:
            return
        while self._written < len(self.jobs):
            job = self.jobs[self._written]
            self.process.stdin.write(job.head)
            self.process.stdin.write(job.content)
            self._written += 1

    async def _run(self) -> None:
        try:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-m", "blackthorn.edges.sealing.worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_READ_AHEAD,
                env={name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ},
            )
            self._write()
            if self.process.stdout is not None:
                await self._read_answers(self.process.stdout)
        except (OSError, asyncio.IncompleteReadError, msgspec.DecodeError):
            self.kill()
        except Exception as error:
            self.kill()
            context = {"message": "a sealing worker failed", "exception": error, "work": "sealing"}
            asyncio.get_running_loop().call_exception_handler(context)
        finally:
            self._pool.ended(self)
        await self.process.wait() if self.process is not None else None

    async def _read_answers(self, answers: asyncio.StreamReader) -> None:
        await _read_answer(answers)  # the worker's greeting
        self.ready = True
        while True:
            answer = await _read_answer(answers)
            sealed = [await _read_sealed(answers, size) for size in answer.sizes]
            job = self.jobs.popleft()
            self._written -= 1
            if job.answer.done():
                pass  # the request was cancelled
            elif answer.refusal is not None:
                job.answer.set_exception(MailRefusedError(*answer.refusal))
            else:
                job.answer.set_result(_sealed(answer, sealed))
            del job, sealed
            if not self.jobs:
                self._rest()
            self._pool.freed()

    def _rest(self) -> None:
        """Idle: end now after enough mails, else after a moment without any."""
        if self.doomed:
            self.kill()
        else:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(limits.SEALING_IDLE_SECONDS, self.kill)


def _sealed(answer: SealAnswer, mails: list[bytearray]) -> SealedMails:
    return SealedMails(
        mails, tuple(answer.questions), tuple(answer.asked), answer.summary, answer.place
    )


async def _read_answer(answers: asyncio.StreamReader) -> SealAnswer:
    size = int.from_bytes(await answers.readexactly(4), "big")
    return msgspec.msgpack.decode(await answers.readexactly(size), type=SealAnswer)


async def _read_sealed(answers: asyncio.StreamReader, size: int) -> bytearray:
    """`size` bytes, in memory once: `readexactly` would copy them."""
    sealed = bytearray()
    while len(sealed) < size:
        piece = await answers.read(min(size - len(sealed), _READ_AHEAD))
        if not piece:
            raise asyncio.IncompleteReadError(b"", size)
        sealed += piece
    return sealed


class SealingPool:
    """At most `workers` processes, for one event loop; `close` before it ends."""

    def __init__(self, counters: Counters, workers: int | None = None) -> None:
        self._counters = counters
        self._size: Final = workers or min(os.cpu_count() or 1, limits.MAX_SEALING_WORKERS)
        self._workers: list[_Worker] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._deaths: OrderedDict[bytes, int] = OrderedDict()
        self._closed = False

    @property
    def process_ids(self) -> list[int]:
        """Of the workers."""
        return [worker.process.pid for worker in self._workers if worker.process is not None]

    async def seal(self, request: SealRequest, content: bytearray) -> SealedMails:
        """The mail sealed to each recipient, in order, or what to ask first.

        Raises MailRefusedError: by the scanner; 450 for a certificate that cannot be sealed to; 451
        when the worker died; 554 when it died of this mail too often.
        """
        if self._deaths and self._deaths.get(_name(content), 0) >= limits.MAX_SEALING_ATTEMPTS:
            raise MailRefusedError(554, "5.6.0", "the mail cannot be processed")
        begun = time.monotonic()
        worker = await self._free_worker()
        sized = head(request) + len(content).to_bytes(4, "big")
        job = _Job(sized, content, asyncio.get_running_loop().create_future())
        worker.submit(job)
        try:
            await asyncio.wait({job.answer}, timeout=limits.SEALING_SECONDS)
            if not job.answer.done():
                worker.kill()  # which defers its mails
            return await job.answer
        finally:
            self._counters.sealing_seconds.since(begun)
            job.answer.cancel()

    async def close(self) -> None:
        """End the workers; their mails are deferred."""
        self._closed = True
        for worker in list(self._workers):
            await worker.close()

    async def _free_worker(self) -> _Worker:
        while not self._closed:
            fit = [worker for worker in self._workers if not worker.doomed]
            best = min(fit, key=lambda worker: len(worker.jobs), default=None)
            if best is not None and not best.jobs:
                return best
            if len(fit) < self._size:
                self._workers.append(_Worker(self))
                return self._workers[-1]
            if best is not None and len(best.jobs) < limits.MAX_SEALING_DEPTH:
                return best
            unit = asyncio.get_running_loop().create_future()
            self._waiting.append(unit)
            try:
                await unit
            except asyncio.CancelledError:
                if not unit.cancelled():
                    self.freed()  # it was woken: the next takes the place
                raise
        raise _put_off()

    def freed(self) -> None:
        """A worker has room: wake the next waiting request."""
        while self._waiting:
            unit = self._waiting.popleft()
            if not unit.done():
                unit.set_result(None)
                return

    def ended(self, worker: _Worker) -> None:
        """A worker's process has ended, of its oldest job, if that had begun."""
        self._workers.remove(worker)
        if worker.jobs and worker.ready and not self._closed:
            self._counters.sealing_workers_died += 1
            name = _name(worker.jobs[0].content)
            self._deaths[name] = self._deaths.get(name, 0) + 1
            if len(self._deaths) > _MAX_POISON:
                self._deaths.popitem(last=False)
        for job in worker.jobs:
            if not job.answer.done():
                job.answer.set_exception(_put_off())
        for _ in range(limits.MAX_SEALING_DEPTH):
            self.freed()


def _name(content: bytearray) -> bytes:
    return hashlib.sha256(content).digest()
