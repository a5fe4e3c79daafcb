"""A real `blackthorn witness serve` process, and a log of the test's own to be witnessed."""

import hashlib
import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx

from blackthorn.crypto.secret import Secret
from blackthorn.tlog.checkpoint import Checkpoint, LogSigner
from blackthorn.tlog.merkle import MerkleLog
from blackthorn.tlog.witness import AddCheckpoint, format_add_checkpoint
from tests.support.server_process import READY_SECONDS, STOP_SECONDS, environment, run

PROGRAM = (sys.executable, "-m", "blackthorn")
ORIGIN = "log.example/one"


class Log:
    """A log that can be made to grow, and to fork."""

    def __init__(self, origin: str = ORIGIN, seed: int = 1) -> None:
        self.origin = origin
        self.tree = MerkleLog()
        self.signer = LogSigner(origin, Secret(bytes([seed]) * 32))

    @property
    def vkey(self) -> str:
        return str(self.signer.vkey)

    def grow(self, count: int, text: str = "entry") -> None:
        for _ in range(count):
            self.tree.append(f"{text} {self.tree.size}".encode())

    def note(self, size: int | None = None) -> bytes:
        size = self.tree.size if size is None else size
        return self.signer.sign(Checkpoint(self.origin, size, self.tree.root(size)))

    def request(self, old: int, size: int | None = None) -> bytes:
        size = self.tree.size if size is None else size
        proof = tuple(self.tree.consistency_proof(old, size))
        return format_add_checkpoint(AddCheckpoint(old, proof, self.note(size)))


def make_witness(path: Path, *logs: str, name: str = "witness.example/w") -> str:
    """A witness's folder; returns its public key."""
    done = run("witness", "init", str(path), "--name", name)
    assert done.returncode == 0, done.stderr
    for log in logs:
        added = run("witness", "add-log", str(path), log)
        assert added.returncode == 0, added.stderr
    return done.stdout.strip()


class WitnessProcess:
    """A running witness; leave the `with` block and it is killed if it still runs."""

    def __init__(self, path: Path, *options: str, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, "witness", "serve", str(path), "--port", str(port), *options],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.client = httpx.Client(trust_env=False, timeout=10)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            self._queue.put(line)
        self._queue.put(None)

    def __enter__(self) -> "WitnessProcess":
        line = self._queue.get(timeout=READY_SECONDS)
        assert line is not None, f"the witness ended: {''.join(self.lines)}"
        event = json.loads(line)
        assert event["event"] == "ready", line
        self.url = f"http://127.0.0.1:{event['witness_port']}"
        return self

    def __exit__(self, *exception: object) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(STOP_SECONDS)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def add(self, body: bytes) -> httpx.Response:
        return self.client.post(f"{self.url}/add-checkpoint", content=body)

    def latest(self, origin: str = ORIGIN) -> httpx.Response:
        name = hashlib.sha256(origin.encode()).hexdigest()
        return self.client.get(f"{self.url}/{name}/checkpoint")

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        code = self.process.wait(STOP_SECONDS)
        self._reader.join(STOP_SECONDS)
        return code


def status(path: Path) -> dict[str, Any]:
    """`blackthorn witness status --json`."""
    done = run("witness", "status", str(path), "--json")
    return dict(json.loads(done.stdout))
