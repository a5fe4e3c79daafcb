"""Readiness and gauges of a running server."""

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
from blackthorn.errors import BlackthornError, DiskError, StorageError, system_error
from blackthorn.ports.ledger import ReadCheckpoints
from blackthorn.ports.store import Reader
from blackthorn.ports.waiting import outcome
from blackthorn.programs.server.certificates.serving import PublicCertificate
from blackthorn.programs.server.ledger import ServerLedger
from blackthorn.server.counters import Counters
from blackthorn.server.mail.recipient_policy import ROLES, RecipientPolicy, RecipientRefusedError
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.writer import ThreadWriter
from blackthorn.wire.units import MIB

NAME_ONE: Final = "name an active user by `blackthorn config postmaster`, and restart the server"
ACTIVATE: Final = "they have to activate a device"

LOG_SECONDS: Final = 60
"""Age of the write-ahead log after which a warning says what it still holds."""

PROBE_SECONDS: Final = 5
"""Time for one commit or answer of the database, after which the server is not ready."""


@dataclass(eq=False, repr=False)
class Health:
    """One server's health. `parts` return their problems, one line each.

    Below `floor_mib` of free disk nothing is stored, below `mail_floor_mib` no mail. Set `draining`
    once the server stops.
    """

    folder: ServerFolder
    writer: ThreadWriter
    reader: Reader
    counters: Counters
    ledger: ServerLedger
    recipient_policy: RecipientPolicy
    floor_mib: int
    mail_floor_mib: int
    parts: Sequence[Callable[[], list[str]]]
    certificate: PublicCertificate
    mail_warnings: Callable[[], list[str]] = list
    draining: bool = False

    def operations(self) -> ops.Operations:
        gauges = {
            "writer_waiting": lambda: float(self.writer.waiting),
            "log_age_seconds": lambda: self.writer.log_age,
            "database_bytes": lambda: float(_size_of(self.folder.database)),
            "free_disk_bytes": lambda: float(self.free_bytes()),
            "certificate_seconds_left": self.certificate.seconds_left,
            **self.ledger.gauges(),
        }
        return ops.Operations(
            self._problems, self._warnings, lambda: metrics.exposition(self.counters, gauges)
        )

    def disk_is_short(self) -> bool:
        """Whether less disk is free than the settings require. Raises DiskError."""
        return self.free_bytes() < self.floor_mib * MIB

    def mail_room(self) -> int:
        """Free bytes for mail, below 0 none. Raises DiskError."""
        return self.free_bytes() - self.mail_floor_mib * MIB

    def free_bytes(self) -> int:
        """Raises DiskError."""
        with system_error(DiskError, "the free disk cannot be measured"):
            return shutil.disk_usage(self.folder.path).free

    async def _problems(self) -> list[str]:
        problems = ["the server is stopping"] if self.draining else []
        for part in (self._disk_problems, self.ledger.problems, *self.parts):
            problems += part()
        if problem := self.writer.problem(PROBE_SECONDS):
            problems.append(problem)
        published = self.ledger.ledger.published
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                stored = await outcome(partial(self.reader.ask, ReadCheckpoints()))
        except BlackthornError as error:
            problems.append(str(error))
        except TimeoutError:
            problems.append(f"the database has answered nothing for {PROBE_SECONDS} seconds")
        else:
            size = max((each.size for each in stored if each.published), default=0)
            if published is not None and size < published.size:
                problems.append("the database lacks what the ledger has published: restore it")
        return problems

    def _disk_problems(self) -> list[str]:
        try:
            short = self.disk_is_short()
        except DiskError as error:
            return [str(error)]
        return [f"less than {self.floor_mib} MiB of disk are free"] * short

    async def _warnings(self) -> list[str]:
        warnings = self.certificate.warnings() + self.mail_warnings()
        with suppress(TimeoutError):  # which `_problems` names, as the errors below
            async with asyncio.timeout(PROBE_SECONDS):
                warnings += await postmaster_warnings(self.recipient_policy)
        with suppress(StorageError):
            if self.mail_room() < 0:
                warnings.append(f"mail is deferred: less than {self.mail_floor_mib} MiB are free")
        if (age := self.writer.log_age) > LOG_SECONDS:
            warnings.append(
                f"a reader has kept the write-ahead log, which holds deleted parcels, for {age:.0f}"
                " seconds: end other programs that read the database"
            )
        return warnings


async def postmaster_warnings(recipient_policy: RecipientPolicy) -> list[str]:
    """Why mail to postmaster and abuse is deferred, one line; empty if a user gets it."""
    with suppress(StorageError):  # which `_problems` names
        try:
            await outcome(partial(recipient_policy.recipient, ROLES[0]))
        except RecipientRefusedError as error:
            advice = ACTIVATE if recipient_policy.postmaster else NAME_ONE
            return [f"mail to postmaster and abuse is deferred: {error}; {advice}"]
    return []


def _size_of(database: Path) -> int:
    files = (database, database.with_name(database.name + "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
