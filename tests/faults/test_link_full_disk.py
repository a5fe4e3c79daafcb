"""The disk is full under a running link (fault A5): refusals, no lost promise, and it heals."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackthorn.edges.link.client import LinkConnection
from blackthorn.errors import DiskError
from blackthorn.link import frames as f
from blackthorn.link.fanout import fanout_frame
from blackthorn.ports.parcels import StoreParcels
from blackthorn.storage.sqlite.engine import COMMANDS
from blackthorn.storage.sqlite.transaction import Transaction
from tests.support.link_harness import run, running


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of 8 MB; where we may not mount one, storing fails while `full` exists."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode == 0:
        yield folder
        subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    real = COMMANDS[StoreParcels]

    def store(transaction: Transaction, command: StoreParcels) -> object:
        if (folder / "filler").exists():
            raise DiskError("the disk is full: nothing was stored; free some space")
        return real(transaction, command)

    monkeypatch.setitem(COMMANDS, StoreParcels, store)  # type: ignore[arg-type]
    yield folder


async def _post(link: LinkConnection, fanout: bytes, name: int) -> f.AnyFrame:
    posting = f.Posting(name.to_bytes(16, "big"), [f.Parcel(fanout, bytes(50_000))])
    link.send(f.Send([posting]))
    return await link.receive()


def test_a_full_disk_refuses_serves_what_it_has_and_heals(disk: Path) -> None:
    async def scene() -> None:
        async with running(disk) as server:
            (disk / "filler").write_bytes(bytes(4_000_000))
            sender = await server.open(server.devices[0], resume=False)
            told = fanout_frame([server.devices[1].id])
            sender.send(told)
            accepted = 0
            while isinstance(answer := await _post(sender, told.id, accepted), f.Accepted):
                accepted += 1
            assert isinstance(answer, f.Refused)
            assert answer.code == "storage"
            assert answer.text == "the disk is full: nothing was stored; free some space"
            receiver = await server.open(server.devices[1], resume=False)
            receiver.send(f.Resume())
            received = 0
            while not isinstance(frame := await receiver.receive(), f.Drained):
                assert isinstance(frame, f.Deliver)
                received += len(frame.parcels)
                receiver.send(f.Acknowledge([parcel.seq for parcel in frame.parcels]))
            assert received == accepted
            (disk / "filler").unlink()
            assert isinstance(await _post(sender, told.id, 10**6), f.Accepted)
            await server.until(lambda: server.counters.parcels_acknowledged >= accepted)

    run(scene())
