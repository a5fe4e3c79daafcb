"""A real `blackthorn serve` process, its log and its end."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from blackthorn.demo.network import NoNames

READY_SECONDS = 30.0
STOP_SECONDS = 15.0


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without anyone's Blackthorn settings, and with `extra`.

    Epochs of the ledger are published at once.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BLACKTHORN")}
    ours = {"NO_COLOR": "1", "COLUMNS": "200", "BLACKTHORN_LEDGER_EPOCH_SECONDS": "0"}
    return kept | ours | extra


def wait_for(condition: Callable[[], object], seconds: float = READY_SECONDS) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to hold in time"
        time.sleep(0.05)


def run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """One `blackthorn` command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "blackthorn", *arguments],
        env=environment(**extra),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def initialise(directory: Path, *more: str) -> Path:
    """A fresh server's folder, on ports that the system chooses."""
    names = ("link", "smtp", "ops", "ledger", "witness")
    ports = [word for name in names for word in (f"--{name}-port", "0")]
    public = ("--public", "127.0.0.1:1")
    done = run("init", str(directory), "--domain", "acme.example", *ports, *public, *more)
    assert done.returncode == 0, done.stderr
    return directory


def add_user(directory: Path, address: str, *more: str) -> dict[str, str]:
    """`blackthorn user add --json`."""
    done = run("user", "add", address, "--dir", str(directory), "--json", *more)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@cache
def no_names() -> str:
    """The address of a name server that knows no name, until this process ends."""
    names = NoNames()
    names.__enter__()
    return names.address


class ServingProcess:
    """A running `blackthorn` command that serves; leave the `with` block and it is killed."""

    def __init__(self, *words: str, **extra: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "blackthorn", *words],
            env=environment(**extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            self._queue.put(line)
        self._queue.put(None)

    def next_event(self) -> dict[str, Any]:
        """The next line of the log, which must come."""
        line = self._queue.get(timeout=READY_SECONDS)
        assert line is not None, f"the process ended: {''.join(self.lines)}"
        return dict(json.loads(line))

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(STOP_SECONDS)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def stop(self, number: int) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(STOP_SECONDS)
        self._reader.join(STOP_SECONDS)
        return code


class ServerProcess(ServingProcess):
    """A running server.

    It is ready when its ports are open; devices need `wait_published` besides. Its name server
    knows no name, unless `extra` says otherwise.
    """

    def __init__(self, directory: Path, **extra: str) -> None:
        super().__init__("serve", str(directory), **{"BLACKTHORN_DNS_SERVERS": no_names()} | extra)

    def __enter__(self) -> "ServerProcess":
        while (event := self.next_event())["event"] != "ready":
            pass
        self.ready = event
        return self

    def wait_published(self) -> None:
        """Wait until /readyz is content: the witness has cosigned the first epoch."""
        deadline = time.monotonic() + READY_SECONDS
        while self.get("/readyz")[0] != 200:
            assert time.monotonic() < deadline, self.get("/readyz")
            time.sleep(0.05)

    @property
    def events(self) -> list[str]:
        """What the log has said so far, without the remark on the embedded witness."""
        told = [str(json.loads(line)["event"]) for line in self.lines]
        return [event for event in told if event != "embedded_witness_not_independent"]

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a GET at the operations port."""
        url = f"http://127.0.0.1:{self.ready['ops_port']}{path}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
