"""The embedded witness as its server sees it: a child process, started again when it ends.

It has its own key, folder and process, and nothing of the server's is in its memory; it ends
when its standard input closes, and so with its server, whatever ends that. A witness that must
not sign, or finds its port taken, says why, and the server goes on without it and says so too.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable
from typing import Final, Self

import structlog

from blackthorn.programs.periodic import Supervisor
from blackthorn.storage.files.witness import WitnessFolder

_KEPT_ENVIRONMENT: Final = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
_END_SECONDS: Final = 3.0
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 60.0

NOT_YET_A_WITNESS: Final = (
    "a witness under the same roof as its log is not yet a witness: it keeps the ledger from an "
    "old backup, and nothing from its operator"
)


class EmbeddedWitness:
    """The child process on `folder`; `at_port` is told where it serves, each time it starts."""

    def __init__(
        self, folder: WitnessFolder, port: int, at_port: Callable[[int], None], tasks: Supervisor
    ) -> None:
        self.problem = ""
        """Why it does not serve, or empty."""
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done as soon as it serves, or has said for the first time why it does not."""
        self._folder = folder
        self._tasks = tasks
        self._port = port
        self._at_port = at_port
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._logger = structlog.get_logger()
        self._served = False
        self._pause = _FIRST_PAUSE

    async def __aenter__(self) -> Self:
        self._task = self._tasks.keep("embedded witness", self._run_again)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End its input, wait, and end it hard if it has not ended by then."""
        process, task = self._process, self._task
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _run_again(self) -> None:
        """One process from its start to its end, and the pause before the next."""
        self._served = False
        reason = await self._run()
        self._pause = _FIRST_PAUSE if self._served else min(2 * self._pause, _LONGEST_PAUSE)
        self.problem = f"the embedded witness has ended: {reason}"
        self._settle()
        if self._pause > 4 * _FIRST_PAUSE or self._served:  # the first ones may wait for a port
            self._logger.error("the embedded witness has ended", said=reason)
        await asyncio.sleep(self._pause)

    async def _run(self) -> str:
        """One process from its start to its end; the last line that it printed as an error."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-m", "blackthorn.programs.witness.serve"),
                *(str(self._folder.path.absolute()), str(self._port)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ},
            )
        except OSError as error:
            return f"it cannot be started: {error.strerror}"
        assert self._process.stdout is not None and self._process.stderr is not None
        reason, _ = await asyncio.gather(
            self._read_errors(self._process.stderr), self._read_port(self._process.stdout)
        )
        await self._process.wait()
        return reason or f"exit code {self._process.returncode}"

    async def _read_port(self, output: asyncio.StreamReader) -> None:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            port = int(json.loads(await output.readline())["port"])
            self._served, self.problem = True, ""
            self._logger.warning(NOT_YET_A_WITNESS, witness_port=port)
            self._at_port(port)
            self._settle()

    def _settle(self) -> None:
        if not self.settled.done():
            self.settled.set_result(None)

    async def _read_errors(self, errors: asyncio.StreamReader) -> str:
        """Its log lines are the server's; what is none is why it ended."""
        said = ""
        with contextlib.suppress(ValueError):  # a line beyond all measure
            async for line in errors:
                text = line.decode(errors="replace").strip()
                if text.startswith("{"):
                    print(text, file=sys.stderr, flush=True)  # noqa: T201
                elif text:
                    said = text.removeprefix("blackthorn: ")
        return said
