"""The server's disk forgets: a minute after their acknowledgement deliveries are in no file."""

import asyncio
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.enterprise import EnrolledDevice, ServerProcess, make_enterprise
from blackthorn.audit.residue import audit
from blackthorn.cli.main import app
from blackthorn.edges.link.client import LinkConnection, connect
from blackthorn.ids import Fingerprint
from blackthorn.link import frames as f
from blackthorn.link.fanout import fanout_frame
from blackthorn.link.hello import sign_hello

DELIVERIES = 240
SIZES = (60, 300, 1_100, 3_000, 20_000)


class Phone:
    """A device that acknowledges what it gets."""

    def __init__(self, device: EnrolledDevice, pin: Fingerprint) -> None:
        self.device = device
        self.pin = pin
        self.got = 0
        self.accepted = 0
        self.ready, self.changed = asyncio.Event(), asyncio.Event()
        self.link: LinkConnection

    async def open(self, port: int) -> None:
        self.link = await connect("127.0.0.1", port, self.pin, self.hear)
        self.link.send(sign_hello(self.device.identity, self.link.binding))
        await self.ready.wait()
        self.link.send(f.Resume())

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.changed.clear()
            await self.changed.wait()

    def has(self, count: int) -> bool:
        return self.got == count

    def hear(self, frame: f.AnyFrame) -> None:
        self.changed.set()
        match frame:
            case f.Ready():
                self.ready.set()
            case f.Accepted(ids):
                self.accepted += len(ids)
            case f.Deliver(parcels):
                self.got += len(parcels)
                self.link.send(f.Acknowledge([parcel.seq for parcel in parcels]))


async def deliver(port: int, pin: Fingerprint, devices: list[EnrolledDevice]) -> None:
    """240 deliveries to three devices on line, each acknowledged, and one parcel that waits."""
    sender, *others = phones = [Phone(device, pin) for device in devices[:4]]
    for phone in phones:
        await phone.open(port)
    lists = [fanout_frame([phone.device.id for phone in others[:count]]) for count in (1, 2, 3)]
    waits = fanout_frame([devices[4].id])
    sender.link.send(*lists, waits)
    for number in range(DELIVERIES // 6):
        size = SIZES[number % len(SIZES)]
        for told in lists:
            parcel = f.Parcel(told.id, os.urandom(size))
            sender.link.send(f.Send([f.Posting(os.urandom(16), [parcel])]))
        await asyncio.sleep(0.01)
    sender.link.send(f.Send([f.Posting(os.urandom(16), [f.Parcel(waits.id, bytes(500))])]))
    for phone, count in zip(others, (120, 80, 40), strict=True):
        await phone.until(partial(phone.has, count))
    await sender.until(lambda: sender.accepted == DELIVERIES // 2 + 1)
    await asyncio.sleep(0.5)
    for phone in phones:
        await phone.link.close()


def copied(folder: Path, name: str) -> Path:
    copy: Path = shutil.copytree(folder, folder.with_name(name))
    return copy


def backed_up(folder: Path, name: str) -> Path:
    """A folder with a backup that SQLite made of the running server's database."""
    copy = folder.with_name(name)
    copy.mkdir()
    with (
        closing(sqlite3.connect(f"file:{folder}/blackthorn.db?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(copy / "blackthorn.db")) as target,
    ):
        source.backup(target)
    return copy


def truncated(folder: Path) -> None:
    """Wait until the write-ahead log is empty."""
    log = folder / "blackthorn.db-wal"
    while log.stat().st_size:
        time.sleep(0.2)


def said(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["audit", "residue", *arguments])
    return result.exit_code, result.output


@pytest.mark.real_start
def test_a_minute_later_nothing_of_240_deliveries_is_in_a_copy_a_backup_or_after_sigkill(
    tmp_path: Path,
) -> None:
    directory, devices = make_enterprise(tmp_path / "server", 5)
    with ServerProcess(directory) as server:
        asyncio.run(deliver(server.port, directory.fingerprint(), devices))
        begun = time.monotonic()
        first = copied(directory.path, "first")
        report = audit(first)
        assert report.sees and report.pairs == DELIVERIES, "the search finds them in the log"
        truncated(directory.path)
        assert time.monotonic() - begun < 60
        for later in (copied(directory.path, "live"), backed_up(directory.path, "backup")):
            report = audit(later)
            assert report.clean and report.waiting == 1, report
        assert said(str(tmp_path / "live"), "--earlier", str(first))[0] == 0
        asyncio.run(deliver(server.port, directory.fingerprint(), devices[::-1]))
        server.kill()
    assert audit(copied(directory.path, "killed at once"), first).clean
    code, output = said(str(tmp_path / "killed at once"), "--json")
    document = json.loads(output)
    assert code == 1 and document["sees"] and document["pairs"] >= DELIVERIES
    with ServerProcess(directory) as server:
        truncated(directory.path)
        server.kill()
    assert audit(copied(directory.path, "killed")).clean
    code, output = said(str(tmp_path / "killed"))
    assert code == 0 and "0 old parcels and 0 old pairs found" in " ".join(output.split())


def test_what_is_no_copy_of_a_folder_is_an_error_of_the_user(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["audit", "residue", str(tmp_path)])
    assert result.exit_code != 0 and "no copy of a server's folder" in str(result.exception)
