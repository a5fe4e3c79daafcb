"""A ready-made enterprise with many devices, for benchmarks and fault tests.

The devices are written into the database before the server starts; what they hold is the
seed of their identity key, so that they can say hello. Nothing of the server is bypassed:
it finds rows as an activation would have left them, and it is `blackthorn serve` itself.
"""

import json
import os
import queue
import secrets
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519
from blackthorn.demo.network import NoNames
from blackthorn.ids import DeviceId, device_id
from blackthorn.programs.server.folder import initialise
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.wrapping import Wrapping

DOMAIN = "acme.example"
_SETTINGS = "BLACKTHORN_"

ROWS_PER_SECOND = 10_000_000
BUDGETS = {
    ("budgets", "rows"): 2_000_000_000,
    ("budgets", "rows_per_second"): ROWS_PER_SECOND,
    ("budgets", "stored_mib"): 1_000_000,
    ("budgets", "stored_kib_per_second"): 10_000_000,
    ("budgets", "copied_mib"): 1_000_000_000,
    ("budgets", "copied_kib_per_second"): 1_000_000_000,
}
"""What a device may send here: more than it can. It is charged all the same."""


@dataclass(frozen=True)
class EnrolledDevice:
    """A device whose rows are in the database."""

    id: DeviceId
    identity: Secret
    address: str


def make_enterprise(
    folder: Path, devices: int, *, raised: bool = True
) -> tuple[ServerFolder, list[EnrolledDevice]]:
    """A server's folder with so many users of one device each. All ports are the system's.

    No witness runs beside the server, so that it is measured alone. With `raised` the budgets of
    devices are larger than any benchmark.
    """
    ports = {(section, "port"): 0 for section in ("link", "smtp", "ledger", "ops")}
    directory = initialise(
        folder, DOMAIN, {**ports, **(BUDGETS if raised else {}), ("ledger", "witness"): "none"}
    )
    return directory, _enrol(directory.database, devices)


def stored_under(directory: ServerFolder) -> Wrapping:
    """What the sealed bytes of this server are wrapped under."""
    return Wrapping(directory.market_keys(""), secrets.token_bytes)


def _enrol(path: Path, count: int) -> list[EnrolledDevice]:
    database = Database.open(path)
    devices: list[EnrolledDevice] = []
    now_ms = int(time.time() * 1000)
    database.writing.execute("BEGIN")
    for number in range(1, count + 1):
        identity = Secret(secrets.token_bytes(32))
        public = ED25519.public_key(identity)
        device = EnrolledDevice(device_id(public), identity, f"user{number}@{DOMAIN}")
        database.writing.execute(
            "INSERT INTO users (number, address, pin, created_ms) VALUES (?, ?, ?, ?)",
            (number, device.address, f"{number:08x}", now_ms),
        )
        database.writing.execute(
            "INSERT INTO devices (number, id, user, identity_key, name, standing, activated_ms)"
            " VALUES (?, ?, ?, ?, 'bench', 'live', ?)",
            (number, device.id, number, public, now_ms),
        )
        devices.append(device)
    database.writing.execute("COMMIT")
    database.close()
    return devices


class ServerProcess:
    """`blackthorn serve` in a process of its own; `port` is the link's once it is ready.

    It has nobody's settings of Blackthorn, and its name server knows no name: the Internet is not
    asked. Its log is read all the time, so that it never waits for a full pipe.
    """

    def __init__(self, directory: ServerFolder) -> None:
        command = [sys.executable, "-m", "blackthorn", "serve", str(directory.path)]
        kept = {name: text for name, text in os.environ.items() if not name.startswith(_SETTINGS)}
        self._names = NoNames()
        self._names.__enter__()
        self._process = subprocess.Popen(
            command,
            env=kept | {"BLACKTHORN_DNS_SERVERS": self._names.address},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self.lines: list[str] = []
        self._ready: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        port = self._ready.get()
        if port is None:
            self._end()
            raise RuntimeError("the server did not start: " + "\n".join(self.lines))
        self.port = port

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append(line.rstrip())
            if line.startswith("{"):
                event = json.loads(line)
                if event["event"] == "ready":
                    self._ready.put(int(event["link_port"]))
        self._ready.put(None)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self._process.kill()
        self._end()

    def stop(self) -> int:
        """SIGTERM, and wait; the exit code."""
        self._process.terminate()
        return self._end()

    def _end(self) -> int:
        code = self._process.wait()
        self._reader.join()
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._names.__exit__()
        return code

    def __enter__(self) -> "ServerProcess":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self.stop()
