"""Devices that are connected and silent: memory of `blackthorn serve` for each, TLS on.

Each has said hello and asked for its mailbox. The links are opened by processes of their own, a
thousand each, so that the server's memory is the server's alone.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.enterprise import EnrolledDevice, ServerProcess, make_enterprise
from bench.figures import Figure, Figures
from bench.link import open_link
from blackthorn.crypto.secret import Secret
from blackthorn.ids import DeviceId, Fingerprint
from blackthorn.link import frames as f

DEVICES = 4_000
EACH = 1_000
"""Links of one client process."""

WARM = 100
"""Devices that connect before the first measurement, so that what a server loads once is loaded."""

SETTLE_SECONDS = 3.0


def _resident_kib(pid: int) -> int:
    """Memory of the process alone, in KiB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Private_"))


def _client(port: int, pin: Fingerprint, devices: list[EnrolledDevice]) -> subprocess.Popen[str]:
    """A process that opens a link for each device, says so, and holds them until it is ended."""
    told = "".join(f"{each.id.hex()} {each.identity.expose().hex()}\n" for each in devices)
    command = [sys.executable, "-m", "bench.idle", str(port), pin.hex()]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(told)
    process.stdin.close()
    return process


def _opened(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    if process.stdout.readline() != "open\n":
        raise RuntimeError("a client could not open its links")


def run() -> Figures:
    """Start a server, connect the devices, and see by how much it has grown."""
    with tempfile.TemporaryDirectory(prefix="blackthorn-bench-") as name:
        directory, devices = make_enterprise(Path(name), DEVICES + WARM)
        pin = directory.fingerprint()
        with ServerProcess(directory) as server:
            clients = [_client(server.port, pin, devices[:WARM])]
            try:
                _opened(clients[0])
                time.sleep(SETTLE_SECONDS)
                before = _resident_kib(server.pid)
                for start in range(WARM, len(devices), EACH):
                    clients.append(_client(server.port, pin, devices[start : start + EACH]))
                    _opened(clients[-1])
                time.sleep(SETTLE_SECONDS)
                grown = _resident_kib(server.pid) - before
            finally:
                for client in clients:
                    client.kill()
                    client.wait()
    return [
        Figure("idle_devices", "devices connected", DEVICES, ""),
        Figure("idle_kib", "memory for each", grown / DEVICES, "KiB", at_most=24),
    ]


async def _hold(port: int, pin: Fingerprint, devices: list[EnrolledDevice]) -> None:
    links = []
    for device in devices:
        link = await open_link(device, port, pin, lambda frame: None)
        link.send(f.Resume())
        links.append(link)
    print("open", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    lines = [line.split() for line in sys.stdin]
    people = [
        EnrolledDevice(DeviceId(bytes.fromhex(name)), Secret(bytes.fromhex(seed)), "")
        for name, seed in lines
    ]
    asyncio.run(_hold(int(sys.argv[1]), Fingerprint(bytes.fromhex(sys.argv[2])), people))
