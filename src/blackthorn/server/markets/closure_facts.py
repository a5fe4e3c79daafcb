"""Facts of an exit: the users concerned, and the fields of its next decision."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from blackthorn.governance.cases import Cases
from blackthorn.governance.transitions import Case
from blackthorn.ids import Address
from blackthorn.ports.governance import closure as ports
from blackthorn.ports.store import Done, Reader, unless_failed
from blackthorn.server.markets import limits
from blackthorn.server.markets.paging import read_pages

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """Users concerned, hash of their list, and the next decision's fields, {} if there are none."""

    users: int
    list: bytes
    fields: Fields


class ClosureFacts:
    """Counts for officers. `stale` are exits whose receipts must be made again."""

    def __init__(self, cases: Callable[[], Cases], reader: Reader) -> None:
        self.stale: set[str] = set()
        self._cases = cases
        self._reader = reader

    def facts(self, market: str, done: Done[Facts]) -> None:
        """Users of the market and the next decision's fields.

        The exit becomes stale when people came or moved since the receipts were made.
        """
        users, digest = 0, hashlib.sha256()

        def take(addresses: list[Address]) -> str | None:
            nonlocal users
            users += len(addresses)
            digest.update(_lines(addresses))
            return addresses[-1] if len(addresses) == limits.ADDRESS_PAGE else None

        def listed(_: None) -> None:
            case = self._cases().exit_of(market)
            if case is None:
                counted({})
            else:
                self._fields(case, unless_failed(done, counted))

        def counted(fields: Fields) -> None:
            done(Facts(users, digest.digest(), fields))

        def query(after: str) -> ports.ListAddresses:
            return ports.ListAddresses(market, after, limits.ADDRESS_PAGE)

        read_pages(self._reader, "", query, take, unless_failed(done, listed))

    def _fields(self, case: Case, done: Done[Fields]) -> None:
        def found(closures: list[ports.Closure]) -> None:
            closure = next((closure for closure in closures if closure.exit == case.id), None)
            phase = None if closure is None else closure.phase
            if closure is not None and (case.state, phase) == ("preparing", ports.Phase.READY):
                self._destroy_fields(closure, done)
            elif closure is not None and (case.state, phase) == (
                "destroying",
                ports.Phase.DESTROYED,
            ):
                self._close_fields(closure, done)
            else:
                done({})

        self._reader.ask(ports.ListClosures(), unless_failed(done, found))

    def _destroy_fields(self, closure: ports.Closure, done: Done[Fields]) -> None:
        complete = True

        def take(page: ports.ReceiptCheck) -> int | None:
            nonlocal complete
            complete &= page.complete
            return page.after if complete else None

        def checked(_: None) -> None:
            self._reader.ask(ports.CountMoved(closure.exit), unless_failed(done, counted))

        def counted(moved: int) -> None:
            if complete and moved == closure.counts["moved"]:
                done(destroy_fields(closure))
            else:
                self.stale.add(closure.exit)
                done({})

        def query(after: int) -> ports.CheckReceipts:
            return ports.CheckReceipts(closure.exit, closure.market, after, limits.ADDRESS_PAGE)

        read_pages(self._reader, 0, query, take, unless_failed(done, checked))

    def _close_fields(self, closure: ports.Closure, done: Done[Fields]) -> None:
        def hashed(digest: bytes) -> None:
            def counted(samples: list[bytes]) -> None:
                fields = {
                    "mails": closure.mails,
                    "parcels": closure.parcels,
                    "key": closure.fingerprint,
                    "samples": len(samples),
                    "opened": 0,
                    "statement": digest,
                }
                done(fields)

            self._reader.ask(ports.ListSamples(closure.exit), unless_failed(done, counted))

        self._reader.ask(ports.HashStatement(closure.exit), unless_failed(done, hashed))


def list_hash(addresses: list[Address]) -> bytes:
    """SHA-256 (32 bytes) of the sorted addresses, each with a line feed."""
    return hashlib.sha256(_lines(sorted(addresses))).digest()


def destroy_fields(closure: ports.Closure) -> dict[str, int | bytes]:
    """Fields of the decision to destroy."""
    assert closure.root is not None
    return {"receipts": closure.root, "key": closure.fingerprint, **closure.counts}


def _lines(addresses: list[Address]) -> bytes:
    return "".join(f"{address}\n" for address in addresses).encode()
