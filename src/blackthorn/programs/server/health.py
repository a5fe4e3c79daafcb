"""What a running server answers its operators: whether it is well, and its gauges."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from blackthorn.edges.http import metrics
from blackthorn.edges.http import operations as ops
from blackthorn.errors import BlackthornError, StorageError
from blackthorn.ports.store import Probe
from blackthorn.ports.waiting import outcome
from blackthorn.programs.server.ledger import ServerLedger
from blackthorn.server.counters import Counters
from blackthorn.server.mail.recipient_policy import ROLES, RecipientPolicy, RecipientRefusedError
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.writer import ThreadWriter
from blackthorn.wire.units import MIB

NAME_ONE: Final = "name an active user by `blackthorn config postmaster`"

PROBE_SECONDS: Final = 5
"""A database that commits nothing for so long is not ready."""


@dataclass(eq=False, repr=False)
class Health:
    """One server's. `parts` say what is wrong with them, one line each; `floor_mib` is the free
    disk in MiB below which nothing is taken. Set `draining` once the server stops."""

    folder: ServerFolder
    writer: ThreadWriter
    counters: Counters
    ledger: ServerLedger
    recipient_policy: RecipientPolicy
    floor_mib: int
    parts: Sequence[Callable[[], list[str]]]
    draining: bool = False

    def operations(self) -> ops.Operations:
        """Readiness and metrics."""
        gauges = {
            "writer_waiting": lambda: float(self.writer.waiting),
            "database_bytes": lambda: float(_size_of(self.folder.database)),
            "free_disk_bytes": lambda: float(self._free_bytes()),
            **self.ledger.gauges(),
        }
        return ops.Operations(
            self._problems,
            partial(postmaster_warnings, self.recipient_policy),
            lambda: metrics.exposition(self.counters, gauges),
        )

    def disk_is_short(self) -> bool:
        """Whether less of the disk is free than the settings ask for."""
        return self._free_bytes() < self.floor_mib * MIB

    async def _problems(self) -> list[str]:
        problems = ["the server is stopping"] if self.draining else []
        if self.disk_is_short():
            problems.append(f"less than {self.floor_mib} MiB of disk are free")
        for part in (self.ledger.problems, *self.parts):
            problems += part()
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await outcome(partial(self.writer.submit, Probe()))
        except BlackthornError as error:
            problems.append(str(error))
        except TimeoutError:
            problems.append(f"the database has committed nothing for {PROBE_SECONDS} seconds")
        return problems

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self.folder.path).free


async def postmaster_warnings(recipient_policy: RecipientPolicy) -> list[str]:
    """Why mail to postmaster and abuse is deferred, one line; empty when somebody gets it."""
    with suppress(StorageError):  # which `_problems` names
        try:
            await outcome(partial(recipient_policy.recipient, ROLES[0]))
        except RecipientRefusedError as error:
            return [f"mail to postmaster and abuse is deferred: {error}; {NAME_ONE}"]
    return []


def _size_of(database: Path) -> int:
    files = (database, database.with_name(database.name + "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
