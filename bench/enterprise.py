"""A ready-made enterprise with many devices, for benchmarks and fault tests.

The devices are written into the database before the server starts; what they hold is the
seed of their identity key, so that they can say hello. Nothing of the server is bypassed:
it finds rows as an activation would have left them.
"""

import datetime
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from blackthorn.crypto import tls_keys
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519
from blackthorn.ids import DeviceId, Fingerprint
from blackthorn.link.device_id import device_id
from blackthorn.storage.sqlite.database import Database


@dataclass(frozen=True)
class EnrolledDevice:
    """A device whose rows are in the database."""

    id: DeviceId
    identity: Secret
    address: str


def make_server_files(folder: Path, domain: str = "acme.example") -> Fingerprint:
    """The server's key and certificate in `folder`; returns the pin."""
    key = tls_keys.make_key(secrets.token_bytes)
    now = datetime.datetime.now(datetime.UTC)
    certificate = tls_keys.make_certificate(key, domain, secrets.token_bytes, now)
    (folder / "server.key").write_bytes(key.expose())
    (folder / "server.key").chmod(0o600)
    (folder / "server.crt").write_bytes(certificate)
    return tls_keys.certificate_fingerprint(certificate)


def enrol_devices(database: Path, count: int) -> list[EnrolledDevice]:
    """Write `count` users with one device each into the database, made when needed."""
    opened = Database.open(database)
    devices: list[EnrolledDevice] = []
    now_ms = int(time.time() * 1000)
    opened.writing.execute("BEGIN")
    for number in range(1, count + 1):
        identity = Secret(secrets.token_bytes(32))
        public = ED25519.public_key(identity)
        device = EnrolledDevice(device_id(public), identity, f"user{number}@acme.example")
        opened.writing.execute(
            "INSERT INTO users (number, address, pin, created_ms) VALUES (?, ?, ?, ?)",
            (number, device.address, f"{number:08x}", now_ms),
        )
        opened.writing.execute(
            "INSERT INTO devices (number, id, user, identity_key, name, certificate, activated_ms)"
            " VALUES (?, ?, ?, ?, 'bench', x'00', ?)",
            (number, device.id, number, public, now_ms),
        )
        devices.append(device)
    opened.writing.execute("COMMIT")
    opened.close()
    return devices
