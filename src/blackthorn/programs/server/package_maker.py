"""Packages of directives: made in files when an officer asks, signed, and read in parts.

The case's state decides whether a package may be made; `governance.package` its content.
"""

import asyncio
import importlib.metadata
import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from blackthorn import errors
from blackthorn.directory.entries import Record, decode_entry
from blackthorn.directory.records import decode_record
from blackthorn.governance import directives, register
from blackthorn.governance.cases import Checked
from blackthorn.governance.package.build import LedgerProof, ProductionCase
from blackthorn.governance.package.check import summarise
from blackthorn.governance.package.tar import read_tar
from blackthorn.governance.statements import commitment
from blackthorn.governance.transitions import Case, Step
from blackthorn.ids import Address
from blackthorn.ports.store import Done
from blackthorn.ports.waiting import outcome
from blackthorn.programs.periodic import Supervisor
from blackthorn.programs.server import production
from blackthorn.programs.server.closure import register_seed
from blackthorn.server.governance.access import Access
from blackthorn.server.governance.decisions import DecisionService
from blackthorn.server.governance.productions import PackagePart
from blackthorn.server.ledger.ledger import Ledger, LedgerKeys
from blackthorn.storage.files import atomic
from blackthorn.storage.files.folder import make_folder
from blackthorn.storage.sqlite.wrapping import Wrapping
from blackthorn.tlog.proof import LogProof, format_proof

_BATCH: Final = 256
"""Entries of the ledger searched at a time."""

MAY_PRODUCE: Final = ("approved", "produced")


@dataclass(frozen=True, slots=True)
class _Manifest:
    """Manifest hash, items and accounts with data of a package; `finished`: it has its proof."""

    hash: bytes
    items: int
    with_data: int
    finished: bool


@dataclass(eq=False, repr=False)
class PackageMaker:
    """`Productions` in files: a package is made when first fetched, and kept until it is delivered.

    Once officers have signed for it, the register's signature and the ledger's proof are appended.
    A delivery deletes it, so it is refused until the finished package was fetched to its end.
    """

    decisions: DecisionService
    ledger: Ledger
    keys: LedgerKeys
    folder: Path
    database: Path
    wrapping: Wrapping
    tasks: Supervisor
    _making: set[str] = field(default_factory=set)
    _manifests: dict[str, _Manifest] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.decisions.checks.append(self._check_delivery)
        self.decisions.on_decision.append(self._decided)

    def _check_delivery(self, checked: Checked, private: dict[str, Any], done: Done[None]) -> None:
        """A check of the decision service; `done` gets ForbiddenError."""
        name = checked.signed.statement.case
        if checked.move.action != "deliver" or self._fetched(name).exists():
            done(None)
            return
        done(
            errors.ForbiddenError(
                f"nobody has fetched the finished package of {name} yet, and its delivery deletes "
                f"the server's copy: first blackthorn directive produce {name} --out FILE"
            )
        )

    def _decided(self, case: Case, step: Step) -> None:
        if step.action in ("produce", "deliver"):
            self._manifests.pop(case.id, None)
        if step.action == "deliver":
            self._path(case.id).unlink(missing_ok=True)
            self._fetched(case.id).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.tar"

    def _fetched(self, name: str) -> Path:
        """An empty file: an officer has fetched the finished package to its end."""
        return self.folder / f"{name}.fetched"

    def part(
        self, address: Address, case: str, offset: int, length: int, done: Done[PackagePart]
    ) -> None:
        self.tasks.answer("a package", self._answer(address, case, offset, length), done)

    async def _answer(self, address: Address, name: str, offset: int, length: int) -> PackagePart:
        access = await outcome(partial(self.decisions.access, address))
        return await self._part(access, self.decisions.cases.case(name), offset, length)

    async def _part(self, access: Access, case: Case, offset: int, length: int) -> PackagePart:
        if not access.private:
            raise errors.ForbiddenError("only officers who decide see a package")
        if case.id[0] != "D" or case.state not in MAY_PRODUCE:
            raise errors.ForbiddenError(
                "a package can be fetched from its directive's approval until it is delivered"
            )
        if case.id in self._making:
            raise errors.UnavailableError("the package is being made: try again in a moment")
        known, produced = self._manifests.get(case.id), case.state == "produced"
        if known is None or known.finished < produced:
            self._making.add(case.id)
            try:
                proof = None
                if produced:
                    reveal = self.decisions.produced(case.id)
                    proof = await decision_proof(self.ledger, reveal)
                self._manifests[case.id] = await asyncio.to_thread(self._make, case, proof)
            except (errors.StorageError, OSError) as error:
                raise errors.DiskError(f"the package cannot be made: {error}") from None
            except errors.BlackthornError as error:
                raise errors.UnavailableError(f"the package cannot be made: {error}") from None
            finally:
                self._making.discard(case.id)
        manifest = self._manifests[case.id]
        total, data = await asyncio.to_thread(_read, self._path(case.id), offset, length)
        if manifest.finished and offset + len(data) >= total:
            with errors.system_error(errors.DiskError, "the package cannot be marked as fetched"):
                self._fetched(case.id).touch(mode=0o600)
        return PackagePart(total, manifest.hash, manifest.items, manifest.with_data, data)

    def _make(self, case: Case, proof: LedgerProof | None) -> _Manifest:
        """The manifest of the existing file, or of a new one."""
        path = self._path(case.id)
        make_folder(self.folder)
        if not path.exists():
            fresh = path.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            with production.frozen_rows(self.database, self.wrapping) as rows:
                production.produce(production_case(case, self.decisions), rows, fresh)
            atomic.rename(fresh, path)
        if proof is not None:
            seed, origin = register_seed(self.keys), self.keys.origin
            production.finish(production_case(case, self.decisions), path, origin, seed, proof)
        with path.open("rb") as file:
            found = summarise(read_tar(file.read))
        return _Manifest(found.manifest_hash, found.files, found.with_data, found.finished)


def _read(path: Path, offset: int, length: int) -> tuple[int, bytes]:
    """Size of the file, and some bytes. Raises DiskError."""
    with (
        errors.system_error(errors.DiskError, "the package cannot be read"),
        path.open("rb") as file,
    ):
        total = os.fstat(file.fileno()).st_size
        file.seek(min(offset, total))
        return total, file.read(length)


def production_case(case: Case, decisions: DecisionService) -> ProductionCase:
    """The approved scope of the package."""
    facts = directives.facts(case)
    approval = next(each for each in reversed(case.history) if each.action == "approve")
    return ProductionCase(
        id=case.id,
        accounts=tuple(decisions.private(case.id, "receive")["accounts"]),
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


async def decision_proof(ledger: Ledger, reveal: bytes) -> LedgerProof:
    """The proof of the decision behind `reveal` (salt and signed statement).

    Raises UnavailableError until its epoch is published.
    """
    published = ledger.published
    digest = commitment(reveal)
    end = published.size if published is not None else 0
    while published is not None and end > 0:
        start = max(0, end - _BATCH)
        entries = await outcome(partial(ledger.entries, start, end - start))
        for place, entry in enumerate(entries, start):
            if _commits(entry, digest):
                hashes = tuple(ledger.log.inclusion_proof(place, published.size))
                text = format_proof(LogProof(place, hashes, published.note))
                return LedgerProof(text, published.note, ledger.policy_text.encode(), entry, reveal)
        end = start
    raise errors.UnavailableError("the ledger shows it with its next epoch: try again in a moment")


def _commits(entry: bytes, digest: bytes) -> bool:
    record = decode_entry(entry)
    if not isinstance(record, Record) or record.kind not in register.KINDS:
        return False
    return bool(decode_record(record.kind, record.body)["commitment"] == digest)
