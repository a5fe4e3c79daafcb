"""Verifies a closure's statement by itself and against the ledger, by the rules in `rules`."""

import hashlib
import json
import re
from typing import Any, Final

from blackthorn.crypto.signatures import ED25519 as SCHEME
from blackthorn.crypto.signatures import VerifyError
from blackthorn.errors import VerificationError
from blackthorn.governance import exits, limits
from blackthorn.governance.closure.receipt import ProvenReceipt, Receipt, decode_placed, tree_of
from blackthorn.governance.closure.statement import COUNTS, FORMAT, ClosureStatement, signed_text
from blackthorn.governance.package.layout import document
from blackthorn.governance.transitions import Case
from blackthorn.wire import note as notes

_HEX: Final = re.compile(r"[0-9a-f]{64}")
_EXIT: Final = re.compile(r"X-([A-Z]{2})-[0-9]{1,4}")
_MAX: Final = 2**53 - 1


def check_statement(
    data: bytes, register: notes.VerifierKey | None, case: Case, receipt: bytes | None = None
) -> tuple[ClosureStatement, ProvenReceipt | None]:
    """Check a published file against the ledger's exit, and a person's receipt against it.

    Without `register` the file's own key is used. Raises `VerificationError` at the first rule.
    """
    statement, signature = decode_published(data)
    _check_itself(statement)
    _check_ledger(statement, case)
    _check_signature(statement, signature, register)
    return statement, None if receipt is None else check_receipt(receipt, statement)


def check_receipt(data: bytes, statement: ClosureStatement) -> ProvenReceipt:
    """Check the receipt's place in the statement's tree. Raises C15, C16, C17."""
    placed = decode_placed(data)
    receipt = placed.receipt
    if (receipt.exit, receipt.market) != (statement.exit, statement.market):
        raise VerificationError("C16", f"the receipt is of {receipt.exit}, not {statement.exit}")
    if placed.size != len(statement.leaves):
        raise VerificationError("C17", "the receipt is of a tree of another size")
    placed.check(statement.root)
    return placed


def check_person(receipt: Receipt, address: str) -> None:
    """Raises C18 for a receipt of another address."""
    if receipt.address != address:
        raise VerificationError("C18", f"the receipt is not of {address}")


def exit_of(data: bytes) -> str:
    """The exit of a published file. Raises C1."""
    return decode_published(data)[0].exit


def decode_published(data: bytes) -> tuple[ClosureStatement, str]:
    """Statement and signature of a published file. Raises C1."""
    if len(data) > limits.MAX_CLOSURE_BYTES:
        raise VerificationError("C1", "the statement is too large")
    try:
        value = json.loads(data)
        statement = _decode(value["statement"])
        signature = value["signature"]
        made = document({"statement": value["statement"], "signature": signature})
    except VerificationError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise VerificationError("C1", "the file is not a closure's statement") from None
    if type(signature) is not str or made != data or set(value) != {"statement", "signature"}:
        raise VerificationError("C1", "the statement's encoding is not canonical")
    return statement, signature


def _decode(value: dict[str, Any]) -> ClosureStatement:
    destroyed = value["destroyed_keys"][0]
    receipts = value["receipts"]
    named = _EXIT.fullmatch(value["exit"])
    if value["format"] != FORMAT or named is None or named[1] != value["market"]:
        raise VerificationError("C1", f"the statement is not of the form {FORMAT}")
    statement = ClosureStatement(
        exit=value["exit"],
        market=value["market"],
        counts={name: _count(value["persons"][name]) for name in COUNTS},
        root=_hash(receipts["root"]),
        leaves=tuple(_hash(leaf) for leaf in receipts["leaves"]),
        mails=_count(value["deleted"]["mails"]),
        parcels=_count(value["deleted"]["parcels"]),
        key=_hash(destroyed["fingerprint"]),
        prepared_ms=_count(value["prepared_ms"]),
        destroyed_ms=_count(destroyed["destroyed_ms"]),
        backups_end_ms=_count(value["backups_end_ms"]),
        tried={market: _hash(key) for market, key in value["tried_keys"].items()},
        samples=tuple(_base64(sample["wrapped"]) for sample in value["samples"]),
        register=value["register"],
    )
    _check_form(statement, value)
    return statement


def _check_form(statement: ClosureStatement, value: dict[str, Any]) -> None:
    """Redundant fields agree (C4, C7, C8, C9); there are no others (C1)."""
    made = statement.as_json()
    for sample in value["samples"]:
        if sample["sha256"] != hashlib.sha256(_base64(sample["wrapped"])).hexdigest():
            raise VerificationError("C7", "a sample has another hash than is stated")
        if sample["opened"] != 0:
            raise VerificationError("C8", "a sample was opened")
    if value["receipts"]["size"] != len(statement.leaves):
        raise VerificationError("C4", "the tree has another number of leaves than are listed")
    if value["destroyed_keys"][0]["market"] != statement.market:
        raise VerificationError("C9", "the key that was destroyed is of another market")
    if made != value:
        raise VerificationError("C1", "the statement has unknown fields")


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _MAX:
        raise VerificationError("C1", "a number of the statement is out of range")
    return value


def _hash(value: Any) -> bytes:
    if type(value) is not str or not _HEX.fullmatch(value):
        raise VerificationError("C1", "a hash of the statement is not 64 hex digits")
    return bytes.fromhex(value)


def _base64(value: Any) -> bytes:
    if type(value) is not str:
        raise VerificationError("C1", "a sample is not base64")
    return notes.decode_base64(value, "C1")


def _check_signature(
    statement: ClosureStatement, signature: str, register: notes.VerifierKey | None
) -> None:
    try:
        note, key = notes.parse_note(signature.encode()), notes.parse_vkey(statement.register)
    except (VerificationError, UnicodeEncodeError, TypeError) as error:
        raise VerificationError("C2", f"the signature cannot be read: {error}") from None
    if note.text != signed_text(statement.exit, statement.hash):
        raise VerificationError("C2", "the signature is over another statement")
    if register not in (None, key):
        raise VerificationError("C3", "the statement names another key than the register's")
    lines = note.lines_of(key)
    if len(lines) != 1 or key.algorithm != notes.ED25519:
        raise VerificationError("C3", "the register's key must have signed it exactly once")
    try:
        SCHEME.verify(key.public, lines[0].signature, note.text.encode())
    except VerifyError:
        raise VerificationError("C3", "the register's signature does not hold") from None


def _check_itself(statement: ClosureStatement) -> None:
    counts = statement.counts
    if len(statement.leaves) != counts["users"]:
        raise VerificationError("C4", "leaves and persons differ in number")
    if tree_of(statement.leaves).root() != statement.root:
        raise VerificationError("C5", "the root is not that of the leaves")
    if max(counts.values()) > counts["users"] or counts["held"]:
        raise VerificationError("C6", "the counts of persons are inconsistent")
    if statement.market in statement.tried or statement.key in statement.tried.values():
        raise VerificationError("C8", "the destroyed key is among the remaining ones")
    if statement.destroyed_ms < statement.prepared_ms:
        raise VerificationError("C9", "the key was destroyed before receipts were made")


def _check_ledger(statement: ClosureStatement, case: Case) -> None:
    plan, destroy, close = (case.last(action) for action in ("plan", "destroy", "close"))
    if case.id != statement.exit or case.state != "closed":
        raise VerificationError("C10", f"the ledger does not show that {statement.exit} is closed")
    if plan["market"] != statement.market:
        raise VerificationError("C10", f"{case.id} is the exit of {plan['market']}")
    _equal("C11", destroy, statement.destroy_fields(), "destroy")
    fields = statement.close_fields()
    stated = fields.pop("statement")
    _equal("C12", close, fields, "close")
    if exits.dates(case)["backups_end_ms"] != statement.backups_end_ms:
        raise VerificationError("C14", "the backups' end is not the date that was decided")
    if close["statement"] != stated:
        raise VerificationError("C13", "the ledger holds the hash of another statement")


def _equal(rule: str, decided: dict[str, Any], stated: dict[str, int | bytes], action: str) -> None:
    for name, value in stated.items():
        if decided[name] != value:
            raise VerificationError(rule, f"{name} is not what was decided by {action}")
