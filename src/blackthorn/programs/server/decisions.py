"""The office in the server: decisions, their desk, and the packages of directives.

Decides nothing: whether a package may be made says the case, what is in it the bag.
"""

import asyncio
import importlib.metadata
import os
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from blackthorn.errors import BlackthornError
from blackthorn.governance import directives
from blackthorn.governance.package.build import LedgerProof, ProductionCase
from blackthorn.governance.package.check import summarise
from blackthorn.governance.package.tar import read_tar
from blackthorn.governance.transitions import Case, Step
from blackthorn.link import limits
from blackthorn.link.frames import FetchProduction, ProductionPart
from blackthorn.ports.clock import Clock
from blackthorn.ports.enterprise import Enterprise
from blackthorn.ports.writer import Writer
from blackthorn.programs.periodic import repeat
from blackthorn.programs.server import production
from blackthorn.programs.server.closure import register_seed
from blackthorn.programs.server.decision_proof import decision_proof
from blackthorn.programs.server.production import Stores
from blackthorn.server.counters import Counters
from blackthorn.server.governance.decisions import DecisionService
from blackthorn.server.governance.directive_checks import DirectiveChecks
from blackthorn.server.handlers.session import Session
from blackthorn.server.ledger.ledger import Ledger, LedgerKeys
from blackthorn.storage.files import atomic
from blackthorn.storage.files.folder import make_folder
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.stores.cases import SqliteCases
from blackthorn.storage.sqlite.stores.markets import market_of

TICK_SECONDS: Final = 5.0
"""How often the office is asked whether a gag has ended."""

MAY_PRODUCE: Final = ("approved", "produced")


def make_decision_service(
    connection: Connection,
    ledger: Ledger,
    enterprise: Enterprise,
    writer: Writer,
    clock: Clock,
    max_accounts: int,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> DecisionService:
    """The office over the reading connection, with its checks of directives; not started."""
    office = DecisionService(
        store=SqliteCases(connection),
        log=ledger,
        enterprise=enterprise,
        writer=writer,
        clock=clock,
        random=random,
    )
    market = partial(market_of, connection)
    office.checks.append(DirectiveChecks(lambda: office.cases, enterprise, market, max_accounts))
    return office


async def keep_time(office: DecisionService, counters: Counters) -> None:
    """Let gags end, for as long as the server runs."""

    def step() -> float:
        office.tick()
        return TICK_SECONDS

    await repeat(step, counters, TICK_SECONDS)


class Productions:
    """Handles FetchProduction: a package is made once, when first asked for, and then stays.

    It lies in `folder` from the approval of its directive until it is delivered. Once officers
    have signed for it, the register's signature and the ledger's proof are put behind it.
    """

    def __init__(
        self,
        office: DecisionService,
        ledger: Ledger,
        keys: LedgerKeys,
        folder: Path,
        database: Path,
        stores: Stores,
    ) -> None:
        self._office = office
        self._ledger = ledger
        self._keys = keys
        self._folder = folder
        self._database = database
        self._stores = stores
        self._making: set[str] = set()
        self._work: set[asyncio.Task[None]] = set()
        self._facts: dict[str, tuple[bytes, int, int]] = {}
        """Of the packages whose state was looked at: manifest hash, items, accounts with data."""
        office.taken.append(self._taken)

    def _taken(self, case: Case, step: Step) -> None:
        if step.action in ("produce", "deliver"):
            self._facts.pop(case.id, None)
        if step.action == "deliver":
            self._path(case.id).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.tar"

    def handle(self, session: Session, frame: FetchProduction, now: float) -> None:
        """Serve one frame of a known device."""
        device = session.device
        if device is None:
            return
        case = self._office.cases.case(frame.case)
        if not self._office.reads_private(device.address):
            self._refuse(session, frame, "only officers who decide see a package")
        elif case.id[0] != "D" or case.state not in MAY_PRODUCE:
            self._refuse(session, frame, "there is no package before the directive is approved")
        elif case.id in self._making:
            self._refuse(session, frame, "the package is being made: try again in a moment")
        elif case.id in self._facts:
            self._send(session, frame)
        else:
            self._begin(session, frame, case)

    def _begin(self, session: Session, frame: FetchProduction, case: Case) -> None:
        async def work() -> None:
            try:
                proof = None
                if case.state == "produced":
                    proof = decision_proof(self._ledger, self._office.produced(case.id))
                self._facts[case.id] = await asyncio.to_thread(self._make, case, proof)
                self._send(session, frame)
            except (BlackthornError, OSError) as error:
                self._refuse(session, frame, f"the package cannot be made: {error}")
            finally:
                self._making.discard(case.id)
                session.answered()

        session.ask()
        self._making.add(case.id)
        task = asyncio.get_running_loop().create_task(work())
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    def _make(self, case: Case, proof: LedgerProof | None) -> tuple[bytes, int, int]:
        """Manifest hash, items, accounts with data; of the file that is there, or of a new one."""
        path = self._path(case.id)
        make_folder(self._folder)
        if not path.exists():
            partial = path.with_suffix(".new")
            partial.unlink(missing_ok=True)
            with production.frozen_rows(self._database, self._stores) as rows:
                production.produce(production_case(case, self._office), rows, partial)
            atomic.rename(partial, path)
        if proof is not None:
            seed, origin = register_seed(self._keys), self._keys.origin
            production.finish(production_case(case, self._office), path, origin, seed, proof)
        with path.open("rb") as file:
            found = summarise(read_tar(file.read))
        return found.manifest_hash, found.files, found.with_data

    def _send(self, session: Session, frame: FetchProduction) -> None:
        manifest, items, with_data = self._facts[frame.case]
        try:
            with self._path(frame.case).open("rb") as file:
                total = os.fstat(file.fileno()).st_size
                file.seek(min(frame.offset, total))
                data = file.read(limits.MAX_MAIL_CHUNK_BYTES)
        except OSError as error:
            self._refuse(session, frame, f"the package cannot be read: {error.strerror}")
            return
        session.transmit(
            ProductionPart(frame.request, frame.offset, total, manifest, items, with_data, data)
        )

    def _refuse(self, session: Session, frame: FetchProduction, why: str) -> None:
        session.transmit(
            ProductionPart(frame.request, frame.offset, 0, bytes(32), 0, 0, b"", why[:512])
        )


def production_case(case: Case, office: DecisionService) -> ProductionCase:
    """What the officers have approved, for the bag."""
    facts = directives.facts(case)
    approval = next(each for each in reversed(case.history) if each.action == "approve")
    return ProductionCase(
        id=case.id,
        accounts=tuple(office.private(case.id, "receive")["accounts"]),
        categories=tuple(approval.public["categories"]),
        from_ms=facts["from_ms"],
        to_ms=facts["to_ms"],
        approved_ms=approval.at_ms,
        approvers=approval.officers,
        steps=tuple(_step(each) for each in case.history if each.seq <= approval.seq),
        software=f"blackthorn {importlib.metadata.version('blackthorn')}",
    )


def _step(step: Step) -> dict[str, Any]:
    return {
        "seq": step.seq,
        "action": step.action,
        "officers": list(step.officers),
        "at_ms": step.at_ms,
        "public": {name: value for name, value in step.public.items() if value is not None},
    }
