"""An export of 10,000 mails of 4 KiB and 10,000 messages, by `run_export` from `blackthorn serve`.

The mails come by SMTP and are sealed by the server; the messages are written into the device's
vault. Server, export and disk are one machine's. At the end the export is verified.
"""

import asyncio
import os
import resource
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, Figures
from bench.mail import Client
from blackthorn.crypto.secret import Secret
from blackthorn.demo.deployment import Deployment
from blackthorn.ports.device_store import HistoryRecord
from blackthorn.programs.device.export.check import require_whole, verify_export
from blackthorn.programs.device.export.export import run_export
from blackthorn.programs.device.home import Home
from blackthorn.programs.device.program import DeviceProgram

MAILS = 10_000
MESSAGES = 10_000
CONVERSATIONS = 50
CONNECTIONS = 10
PASSPHRASE = Secret(b"a passphrase of the benchmark")


async def _deliver(port: int, address: str) -> None:
    async def work() -> None:
        client = await Client.open(port)
        for _ in range(MAILS // CONNECTIONS):
            await client.send(address)
        client.close()

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


def _talk(program: DeviceProgram) -> None:
    """Messages as a busy person's vault has them."""
    now_ms = time.time_ns() // 1_000_000
    with program.opened.vault.transaction() as records:
        for number in range(MESSAGES):
            name = f"colleague{number % CONVERSATIONS}@acme.example"
            records.history.add(
                HistoryRecord(
                    message=os.urandom(32),
                    conversation=bytes([number % CONVERSATIONS]) * 32,
                    kind="direct",
                    name=name,
                    sender=name,
                    sort="text",
                    text=f"message {number}: " + "some words <of> a colleague & more " * 5,
                    sent_ms=now_ms,
                    received_ms=now_ms,
                    standing="received",
                    shown=True,
                )
            )


def run() -> Figures:
    """Run the part."""
    with (
        tempfile.TemporaryDirectory(prefix="blackthorn-bench-") as folder,
        Deployment(Path(folder) / "playground") as deployment,
    ):
        deployment.initialise()
        deployment.start_server()
        person, _ = deployment.enrol("alice")
        asyncio.run(_deliver(deployment.smtp_port, person.address))
        home = Home(person.home, Path(person.environment["BLACKTHORN_KEY_FILE"]))
        program = DeviceProgram(home, home.open())
        _talk(program)
        target = Path(folder) / "export"
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun = time.perf_counter()
        summary = run_export(program, target, PASSPHRASE, lambda *_: None)
        exported = time.perf_counter() - begun
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        begun = time.perf_counter()
        require_whole(verify_export(target))
        verified = time.perf_counter() - begun
        assert (summary.counts.mails, summary.counts.messages) == (MAILS, MESSAGES)
    return [
        Figure("export_seconds", "10,000 mails and 10,000 messages", exported, "s", at_most=60),
        Figure("export_verify_seconds", "the same, verified", verified, "s"),
        Figure("export_memory", "more memory while exporting", memory / 1024, "MiB"),
    ]
