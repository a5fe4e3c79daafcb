"""The embedded witness: a child process of the server, restarted when it ends.

It has its own key, folder and process, and ends with its standard input, and so with its server. If
it must not sign, or its port is taken, the server runs without it and reports why.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable
from typing import Final, Self

import structlog

from blackthorn.programs.entry import to_stderr
from blackthorn.programs.periodic import Supervisor
from blackthorn.storage.files.witness import WitnessFolder
from blackthorn.wire.printable import printable_json

_KEPT_ENVIRONMENT: Final = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
_END_SECONDS: Final = 3.0
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 60.0

NOT_INDEPENDENT: Final = (
    "not independent of its log: it protects the ledger from an old backup, not from its operator"
)


class EmbeddedWitness:
    """The child process on `folder`; `at_port` gets its port at each start."""

    def __init__(
        self, folder: WitnessFolder, port: int, at_port: Callable[[int], None], tasks: Supervisor
    ) -> None:
        self.problem = ""
        """Why it does not run, or empty."""
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once it serves, or has first failed."""
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
        """Close its input, wait, and kill it after a while."""
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
        """One process from start to end, and the pause before the next."""
        self._served = False
        reason = await self._run()
        self._pause = _FIRST_PAUSE if self._served else min(2 * self._pause, _LONGEST_PAUSE)
        self.problem = f"the embedded witness has ended: {reason}"
        self._settle()
        if self._pause > 4 * _FIRST_PAUSE or self._served:  # the first ones may wait for a port
            self._logger.error("embedded_witness_ended", reason=reason)
        await asyncio.sleep(self._pause)

    async def _run(self) -> str:
        """One process from start to end; returns its error."""
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
            self._logger.warning("embedded_witness_not_independent", witness_port=port)
            self._at_port(port)
            self._settle()

    def _settle(self) -> None:
        if not self.settled.done():
            self.settled.set_result(None)

    async def _read_errors(self, errors: asyncio.StreamReader) -> str:
        """Pass on its log lines; returns its error line."""
        said = ""
        with contextlib.suppress(ValueError):  # a line over the limit
            async for line in errors:
                text = line.decode(errors="replace").strip()
                if text.startswith("{"):
                    to_stderr(printable_json(text))
                elif text:
                    said = text.removeprefix("blackthorn: ")
        return said
