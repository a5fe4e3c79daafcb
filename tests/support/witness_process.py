"""A real `blackthorn witness serve` process, and a log of the test's own to be witnessed."""

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx

from blackthorn.crypto.secret import Secret
from blackthorn.tlog.checkpoint import Checkpoint, LogSigner
from blackthorn.tlog.merkle import MerkleLog
from blackthorn.tlog.witness import AddCheckpoint, format_add_checkpoint
from tests.support.server_process import ServingProcess, run

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


class WitnessProcess(ServingProcess):
    """A running witness."""

    def __init__(self, path: Path, *options: str, port: int = 0) -> None:
        super().__init__("witness", "serve", str(path), "--port", str(port), *options)
        self.client = httpx.Client(trust_env=False, timeout=10)

    def __enter__(self) -> "WitnessProcess":
        event = self.next_event()
        assert event["event"] == "ready", event
        self.url = f"http://127.0.0.1:{event['witness_port']}"
        return self

    def __exit__(self, *exception: object) -> None:
        self.client.close()
        super().__exit__(*exception)

    def add(self, body: bytes) -> httpx.Response:
        return self.client.post(f"{self.url}/add-checkpoint", content=body)

    def latest(self, origin: str = ORIGIN) -> httpx.Response:
        name = hashlib.sha256(origin.encode()).hexdigest()
        return self.client.get(f"{self.url}/{name}/checkpoint")


def status(path: Path) -> dict[str, Any]:
    """`blackthorn witness status --json`."""
    done = run("witness", "status", str(path), "--json")
    return dict(json.loads(done.stdout))
