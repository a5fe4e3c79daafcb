"""That the ledger shows a decision: entry, inclusion proof and checkpoint, for a package."""

from functools import partial

from blackthorn.directory.entries import Record, decode_entry
from blackthorn.directory.records import decode_record
from blackthorn.errors import UnavailableError
from blackthorn.governance import register
from blackthorn.governance.package.build import LedgerProof
from blackthorn.governance.statements import commitment
from blackthorn.ports.waiting import outcome
from blackthorn.server.ledger.ledger import Ledger
from blackthorn.tlog.proof import LogProof, format_proof

_BATCH = 256


async def decision_proof(ledger: Ledger, reveal: bytes) -> LedgerProof:
    """The proof of the decision behind `reveal` (salt and signed statement).

    Raises UnavailableError while its epoch is not published.
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
    raise UnavailableError("the ledger shows it with its next epoch: try again in a moment")


def _commits(entry: bytes, digest: bytes) -> bool:
    record = decode_entry(entry)
    if not isinstance(record, Record) or record.kind not in register.KINDS:
        return False
    return bool(decode_record(record.kind, record.body)["commitment"] == digest)
