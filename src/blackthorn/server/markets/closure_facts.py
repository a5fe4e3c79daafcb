"""Facts of an exit: whom it concerns now, and the fields that its next decision must state."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from blackthorn.errors import BlackthornError
from blackthorn.governance.cases import Cases
from blackthorn.governance.transitions import Case
from blackthorn.ids import Address
from blackthorn.ports.closure import (
    CheckReceipts,
    Closure,
    CountMoved,
    HashStatement,
    ListAddresses,
    ListClosures,
    ListSamples,
    Phase,
    ReceiptCheck,
)
from blackthorn.ports.store import Done, Reader
from blackthorn.server.markets import limits
from blackthorn.server.markets.paging import read_pages

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """Whom an exit concerns now, and the fields of the next decision, {} while there are none."""

    users: int
    list: bytes
    fields: Fields


class ClosureFacts:
    """Counts for officers. `stale` are exits whose receipts must be made anew."""

    def __init__(self, cases: Callable[[], Cases], reader: Reader) -> None:
        self.stale: set[str] = set()
        self._cases = cases
        self._reader = reader

    def facts(self, market: str, done: Done[Facts]) -> None:
        """Whom leaving the market concerns, and what the next decision states.

        When people came or moved since the receipts were made, the exit becomes stale.
        """
        users, digest = 0, hashlib.sha256()

        def take(addresses: list[Address]) -> str | None:
            nonlocal users
            users += len(addresses)
            digest.update(_lines(addresses))
            return addresses[-1] if len(addresses) == limits.ADDRESS_PAGE else None

        def listed(error: BlackthornError | None) -> None:
            if error is not None:
                done(error)
            elif (case := self._cases().exit_of(market)) is None:
                done(Facts(users, digest.digest(), {}))
            else:
                self._fields(case, counted)

        def counted(fields: Fields | BlackthornError) -> None:
            if isinstance(fields, BlackthornError):
                done(fields)
            else:
                done(Facts(users, digest.digest(), fields))

        read_pages(
            self._reader,
            "",
            lambda after: ListAddresses(market, after, limits.ADDRESS_PAGE),
            take,
            listed,
        )

    def _fields(self, case: Case, done: Done[Fields]) -> None:
        def found(closures: list[Closure] | BlackthornError) -> None:
            if isinstance(closures, BlackthornError):
                done(closures)
                return
            closure = next((closure for closure in closures if closure.exit == case.id), None)
            phase = None if closure is None else closure.phase
            if closure is not None and (case.state, phase) == ("preparing", Phase.READY):
                self._destroy_fields(closure, done)
            elif closure is not None and (case.state, phase) == ("destroying", Phase.DESTROYED):
                self._close_fields(closure, done)
            else:
                done({})

        self._reader.ask(ListClosures(), found)

    def _destroy_fields(self, closure: Closure, done: Done[Fields]) -> None:
        complete = True

        def take(page: ReceiptCheck) -> int | None:
            nonlocal complete
            complete &= page.complete
            return page.after if complete else None

        def checked(error: BlackthornError | None) -> None:
            if error is not None:
                done(error)
            else:
                self._reader.ask(CountMoved(closure.exit), counted)

        def counted(moved: int | BlackthornError) -> None:
            if isinstance(moved, BlackthornError):
                done(moved)
            elif complete and moved == closure.counts["moved"]:
                done(destroy_fields(closure))
            else:
                self.stale.add(closure.exit)
                done({})

        read_pages(
            self._reader,
            0,
            lambda after: CheckReceipts(closure.exit, closure.market, after, limits.ADDRESS_PAGE),
            take,
            checked,
        )

    def _close_fields(self, closure: Closure, done: Done[Fields]) -> None:
        def hashed(digest: bytes | BlackthornError) -> None:
            if isinstance(digest, BlackthornError):
                done(digest)
                return
            self._reader.ask(ListSamples(closure.exit), lambda samples: counted(digest, samples))

        def counted(digest: bytes, samples: list[bytes] | BlackthornError) -> None:
            if isinstance(samples, BlackthornError):
                done(samples)
                return
            done(
                {
                    "mails": closure.mails,
                    "parcels": closure.parcels,
                    "key": closure.fingerprint,
                    "samples": len(samples),
                    "opened": 0,
                    "statement": digest,
                }
            )

        self._reader.ask(HashStatement(closure.exit), hashed)


def list_hash(addresses: list[Address]) -> bytes:
    """32 bytes: SHA-256 over the sorted addresses, each ended by a line feed."""
    return hashlib.sha256(_lines(sorted(addresses))).digest()


def destroy_fields(closure: Closure) -> dict[str, int | bytes]:
    """What the decision to destroy states."""
    assert closure.root is not None
    return {"receipts": closure.root, "key": closure.fingerprint, **closure.counts}


def _lines(addresses: list[Address]) -> bytes:
    return "".join(f"{address}\n" for address in addresses).encode()
