"""The report as JSON: schema `blackthorn-transparency-report/1`, in docs/specs/report.md.

A function of the ledger and the period. It includes the trust policy, of which the ledger has only
the hash.
"""

import hashlib
import json
from dataclasses import asdict
from importlib import resources
from typing import Any, Final

from blackthorn.errors import VerificationError
from blackthorn.report import counting, history
from blackthorn.report.figures import Figures
from blackthorn.wire.dates import rfc3339

SCHEMA: Final = "blackthorn-transparency-report/1"

STRUCTURAL: Final[dict[str, Any]] = {
    "real_time": {
        "received_can_be_answered": False,
        "accounts": 0,
        "why": "There is no function that hands over messages as they come.",
    },
    "stored": {
        "why": "What can be asked for is what the server holds of named accounts, in the "
        "categories of docs/what-the-server-holds.md."
    },
    "content": {
        "readable": False,
        "why": "Content is sealed on devices; the server holds no key to it and can hand over "
        "nothing but ciphertext.",
    },
    "bulk": {
        "possible": False,
        "why": "A directive names single accounts. No field can hold a keyword, a country's "
        "people or a group.",
    },
}
"""Facts that follow from the program's design."""


def check_policy(policy: str, stand: history.Snapshot) -> None:
    """Raises VerificationError (D30) unless the ledger commits to this policy."""
    if hashlib.sha256(policy.encode()).digest() != stand.config.policy_digest:
        raise VerificationError(
            "D30", f"the trust policy is not the one of the ledger at {stand.size} entries"
        )


def document(figures: Figures, stand: history.Snapshot, policy: str) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "period": _period(figures),
        "enterprise": stand.config.domain,
        "ledger": {
            "origin": stand.config.origin,
            "vkey": stand.config.log_vkey,
            "size": stand.size,
            "root": stand.root.hex(),
            "epoch": stand.epoch,
            "unix_ms": stand.unix_ms,
            "time": rfc3339(stand.unix_ms),
            "policy": policy,
        },
        "totals": asdict(figures.totals),
        "rows": [
            {"country": row.country, "kind": row.kind, **asdict(row.counts)} for row in figures.rows
        ],
        "by_kind": {name: asdict(counts) for name, counts in figures.by_kind.items()},
        "by_country": {name: asdict(counts) for name, counts in figures.by_country.items()},
        "outcomes": list(counting.OUTCOMES),
        "steps_sealed": figures.sealed_steps,
        "structural": STRUCTURAL,
        "directives": list(figures.directives),
        "exits": list(figures.exits),
        "canary": figures.canary,
        "half_years": list(figures.half_years),
    }


def _period(figures: Figures) -> dict[str, Any]:
    period = figures.period
    return {
        "name": period.name,
        "start": rfc3339(period.start_ms),
        "end": rfc3339(period.end_ms),
        "start_ms": period.start_ms,
        "end_ms": period.end_ms,
    }


def encode(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


def schema() -> dict[str, Any]:
    text = resources.files("blackthorn.report").joinpath("report-1.schema.json").read_text("utf-8")
    value: dict[str, Any] = json.loads(text)
    return value
