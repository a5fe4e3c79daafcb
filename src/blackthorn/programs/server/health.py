"""What a running server answers its operators: whether it is well, and its gauges."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from blackthorn.edges.http import metrics
from blackthorn.edges.http import operations as ops
from blackthorn.errors import BlackthornError
from blackthorn.ports.store import Probe
from blackthorn.ports.waiting import outcome
from blackthorn.programs.server.ledger import ServerLedger
from blackthorn.server.counters import Counters
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.writer import ThreadWriter
from blackthorn.wire.units import MIB

PROBE_SECONDS: Final = 5
"""A database that commits nothing for so long is not ready."""


class Health:
    """One server's. `parts` say what is wrong with them, one line each; `floor_mib` is the free
    disk in MiB below which nothing is taken. Set `draining` once the server stops."""

    def __init__(
        self,
        folder: ServerFolder,
        writer: ThreadWriter,
        counters: Counters,
        ledger: ServerLedger,
        floor_mib: int,
        parts: Sequence[Callable[[], list[str]]],
    ) -> None:
        self.draining = False
        self._folder = folder
        self._writer = writer
        self._counters = counters
        self._ledger = ledger
        self._floor_mib = floor_mib
        self._parts = parts

    def operations(self) -> ops.Operations:
        """Readiness and metrics."""
        gauges = {
            "writer_waiting": lambda: float(self._writer.waiting),
            "database_bytes": lambda: float(_size_of(self._folder.database)),
            "free_disk_bytes": lambda: float(self._free_bytes()),
            **self._ledger.gauges(),
        }
        return ops.Operations(self._problems, lambda: metrics.exposition(self._counters, gauges))

    def disk_is_short(self) -> bool:
        """Whether less of the disk is free than the settings ask for."""
        return self._free_bytes() < self._floor_mib * MIB

    async def _problems(self) -> list[str]:
        problems = ["the server is stopping"] if self.draining else []
        if self.disk_is_short():
            problems.append(f"less than {self._floor_mib} MiB of disk are free")
        for part in (self._ledger.problems, *self._parts):
            problems += part()
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await outcome(partial(self._writer.submit, Probe()))
        except BlackthornError as error:
            problems.append(str(error))
        except TimeoutError:
            problems.append(f"the database has committed nothing for {PROBE_SECONDS} seconds")
        return problems

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._folder.path).free


def _size_of(database: Path) -> int:
    files = (database, database.with_name(database.name + "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
