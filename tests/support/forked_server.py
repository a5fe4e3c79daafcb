"""`blackthorn serve`, forked from a process that has imported the program: quick to start."""

import json
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any, ClassVar

from blackthorn.programs.server.server import serve
from blackthorn.storage.files.server import ServerFolder


def _serve(folder: Path, log: Path, settings: dict[str, str]) -> None:
    """In the forked process: `blackthorn serve`, its standard error in a file."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
    os.environ.update(settings)
    serve(folder)


class ForkedServer:
    """A server process forked from one that has imported the program: a start in milliseconds.

    It is the whole server in a process of its own, like `ServerProcess`; but for a test that
    starts hundreds of them the import of all modules would be most of its time. `settings` are
    environment variables.
    """

    FORKS: ClassVar[Any] = multiprocessing.get_context("forkserver")
    FORKS.set_forkserver_preload(["blackthorn.programs.server.server"])

    def __init__(self, directory: ServerFolder, **settings: str) -> None:
        log = directory.path.with_suffix(".log")
        log.unlink(missing_ok=True)
        self._process = self.FORKS.Process(target=_serve, args=(directory.path, log, settings))
        self._process.start()
        self._log = log
        self.port = int(self.wait_until_said("ready")["link_port"])

    def wait_until_said(self, words: str) -> dict[str, Any]:
        """Wait for the event of the log that begins so."""
        for _ in range(20_000):
            lines = self._log.read_text().splitlines(keepends=True) if self._log.exists() else []
            for line in lines:
                if line.startswith("{") and line.endswith("\n"):
                    event: dict[str, Any] = json.loads(line)
                    if event["event"].startswith(words):
                        return event
            assert self._process.is_alive(), lines
            time.sleep(0.002)
        raise AssertionError(f"the server did not say: {words}")

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self._process.kill()
        self._process.join()

    def __enter__(self) -> "ForkedServer":
        return self

    def __exit__(self, *unused: object) -> None:
        self.kill()
