"""`blackthorn audit closure`: compares a closure's statement with the verified ledger."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blackthorn.audit.ledger import Progress
from blackthorn.audit.package import read_register
from blackthorn.audit.report import read_log
from blackthorn.audit.sources import HttpSource
from blackthorn.errors import LimitError, UserError, system_error
from blackthorn.governance import limits as governance_limits
from blackthorn.governance.closure.check import check_statement, exit_of
from blackthorn.governance.closure.receipt import FLAGS, ProvenReceipt
from blackthorn.governance.closure.statement import ClosureStatement
from blackthorn.governance.transitions import Case
from blackthorn.link import limits as link_limits
from blackthorn.report.history import Snapshot


@dataclass(frozen=True, slots=True)
class ClosureAudit:
    """The statement, the exit's decisions, and the receipt's place if one was given.

    `pinned` says that the register's key was given, not only named by the file.
    """

    statement: ClosureStatement
    case: Case
    placed: ProvenReceipt | None
    ledger: str
    entries: int
    pinned: bool

    def as_json(self) -> dict[str, Any]:
        stated, placed = self.statement, self.placed
        return {
            "holds": True,
            "exit": stated.exit,
            "market": stated.market,
            "persons": stated.counts,
            "deleted": {"mails": stated.mails, "parcels": stated.parcels},
            "receipts_root": stated.root.hex(),
            "destroyed_key": stated.key.hex(),
            "destroyed_ms": stated.destroyed_ms,
            "backups_end_ms": stated.backups_end_ms,
            "samples": len(stated.samples),
            "tried_keys": len(stated.tried),
            "decisions": [step.action for step in self.case.history],
            "statement": stated.hash.hex(),
            "register": stated.register,
            "register_key": "given" if self.pinned else "unpinned",
            "ledger": self.ledger,
            "entries": self.entries,
            "receipt": None if placed is None else _receipt(placed),
        }


def _receipt(placed: ProvenReceipt) -> dict[str, Any]:
    receipt = placed.receipt
    names = ("address", *FLAGS, "mails", "parcels")
    proven = {"place": placed.place, "size": placed.size, "leaf": receipt.leaf.hex()}
    return {name: getattr(receipt, name) for name in names} | proven


def audit_closure(
    file: str,
    ledger: str,
    receipt: Path | None,
    register: str | None,
    policy: Path | None,
    progress: Progress,
) -> ClosureAudit:
    """Check a statement and perhaps a person's receipt; `register` is a vkey or a file of one.

    `file` is a path, or the address at which a ledger serves the statement.

    Raises VerificationError with the broken rule, SecurityError with a place in the ledger,
    UserError for an unreadable file, UnavailableError for an address that does not answer.
    """
    key = None if register is None else read_register(register)
    data = _statement(file)
    own = None if receipt is None else _read(receipt, link_limits.MAX_RECEIPT_BYTES)
    name = exit_of(data)
    found: dict[str, Case] = {}

    def at_head(stand: Snapshot, own_policy: str) -> None:
        found[name] = stand.register.cases.case(name)

    read = read_log(ledger, policy, progress, at_head)
    case = found.get(name, Case(name))
    statement, placed = check_statement(data, key, case, own)
    return ClosureAudit(statement, case, placed, ledger, read.stand.size, key is not None)


def _statement(source: str) -> bytes:
    if "://" not in source:
        return _read(Path(source), governance_limits.MAX_CLOSURE_BYTES)
    folder, _, name = source.rpartition("/")
    with HttpSource(folder) as http:
        data = http.read(name, governance_limits.MAX_CLOSURE_BYTES)
    if data is None:
        raise UserError(
            f"the server has no {source}: it serves the statement of a closed market as "
            "https://HOST/closures/X-PK-1.json"
        )
    return data


def _read(path: Path, bound: int) -> bytes:
    with system_error(UserError, f"{path} cannot be read"), path.open("rb") as file:
        data = file.read(bound + 1)
    if len(data) > bound:
        raise LimitError(f"{path} has more than {bound} bytes")
    return data
