"""Lookups: answers to devices from the newest published epoch, with proofs.

A user whose first entry is unpublished is named as pending. Each answer states its `work`, by which
an edge limits a device.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from blackthorn.crypto import vrf
from blackthorn.directory import lookup
from blackthorn.errors import UnavailableError
from blackthorn.ids import Address
from blackthorn.ports import ledger as ports
from blackthorn.ports.ledger import Label, Leaf
from blackthorn.ports.store import Done, Reader, unless_failed
from blackthorn.server.ledger import limits
from blackthorn.server.ledger.epoch_builder import value_of
from blackthorn.server.ledger.epoch_changes import EpochChanges, read_changes
from blackthorn.server.ledger.epochs import Published
from blackthorn.server.ledger.ledger import Ledger

ABSENT_WORK = 8
"""Units of work for a VRF proof of absence."""

ENTRIES_PER_WORK = 64
"""Entries of the log read in one unit."""


@dataclass(frozen=True, slots=True)
class LookedUp:
    """Answers of one epoch. `pending` are users whose first entry is unpublished."""

    epoch: Published
    consistency: list[bytes]
    answers: list[lookup.Answer]
    pending: list[Address]
    work: int


@dataclass(frozen=True, slots=True)
class ChainPart:
    """Statements of a published chain; `more` follow. `size` is the published log's."""

    size: int
    statements: Sequence[bytes] = ()
    receipts: Sequence[lookup.Receipt] = ()
    certificate: bytes = b""
    compatible: bytes = b""
    more: bool = False
    work: int = 1


@dataclass(frozen=True, slots=True)
class Entries:
    """Published entries; `size` is the published log's."""

    size: int
    entries: list[bytes]
    work: int


class Lookups:
    """Answers from the newest published epoch; UnavailableError before the first."""

    def __init__(self, ledger: Ledger, reader: Reader) -> None:
        self._ledger = ledger
        self._reader = reader
        self._absent: OrderedDict[str, tuple[bytes, bytes]] = OrderedDict()

    def _published(self) -> Published:
        published = self._ledger.published
        if published is None:
            raise UnavailableError("the ledger has published nothing yet: try in a moment")
        return published

    def look_up(self, addresses: Sequence[str], have: int, done: Done[LookedUp]) -> None:
        """Map values of these users, for a device that has `have`. Raises UnavailableError."""
        published = self._published()
        asked = tuple(Address(address) for address in dict.fromkeys(addresses))

        def read(found: list[tuple[Label | None, Leaf | None]]) -> None:
            done(self._looked_up(published, asked, have, found))

        self._reader.ask(ports.FindLeaves(asked, published.size), unless_failed(done, read))

    def _looked_up(
        self,
        published: Published,
        asked: Sequence[Address],
        have: int,
        found: list[tuple[Label | None, Leaf | None]],
    ) -> LookedUp:
        answers: list[lookup.Answer] = []
        pending: list[Address] = []
        work = 1
        for address, (label, leaf) in zip(asked, found, strict=True):
            if label is not None and leaf is None:
                pending.append(address)
                continue
            known = label is not None or address in self._absent
            work += 1 if known else ABSENT_WORK
            answers.append(self._answer(published, address, label, leaf))
        return LookedUp(published, self._proof(have, published.size), answers, pending, work)

    def _answer(
        self, published: Published, address: Address, label: Label | None, leaf: Leaf | None
    ) -> lookup.Answer:
        if label is None or leaf is None:
            return lookup.build_absent(published.tree, address, self._place(address))
        return lookup.build_present(
            published.tree,
            address,
            (label.index, label.vrf_proof),
            leaf.version,
            value_of(leaf).encode(),
            self._ledger.openings.of(label, leaf.version),
        )

    def _place(self, address: str) -> tuple[bytes, bytes]:
        known = self._absent.get(address)
        if known is not None:
            self._absent.move_to_end(address)
            return known
        beta, proof = vrf.prove(self._ledger.vrf_key, address.encode())
        if len(self._absent) >= limits.MAX_CACHED_ABSENCES:
            self._absent.popitem(last=False)
        place = self._absent[address] = (beta[:32], proof)
        return place

    def chain(self, address: Address, after: int, done: Done[ChainPart]) -> None:
        """Published statements above `after`. Raises UnavailableError."""
        size = self._published().size
        query = ports.ReadPublishedChain(address, after, size, limits.MAX_CHAIN_PART_BYTES)
        self._reader.ask(query, unless_failed(done, lambda found: done(self._part(size, found))))

    def _part(self, size: int, found: ports.PublishedChain | None) -> ChainPart:
        if found is None:
            return ChainPart(size)
        receipts = [self._receipt(found.label, logged, size) for logged in found.logged]
        work = 1 + len(found.statements) + 2 * len(receipts)
        certificate = found.certificate or b""
        certificates = (certificate, found.compatible)
        return ChainPart(size, found.statements, receipts, *certificates, found.more, work)

    def _receipt(self, label: Label, logged: ports.LoggedStatement, size: int) -> lookup.Receipt:
        log, leaf, head = self._ledger.log, logged.leaf, logged.end - 1
        return lookup.Receipt(
            logged.seq,
            leaf.version,
            value_of(leaf).encode(),
            self._ledger.openings.of(label, leaf.version),
            label.vrf_proof,
            logged.mutation,
            leaf.place,
            tuple(log.inclusion_proof(leaf.place, size)),
            logged.head,
            head,
            tuple(log.inclusion_proof(head, size)),
        )

    def changes(self, since: int, done: Done[EpochChanges]) -> None:
        """What has changed since the tree of that size. Raises UnavailableError."""
        read_changes(self._reader, since, self._published().size, done)

    def consistency(self, old: int, new: int) -> list[bytes] | None:
        """Proof that the log of `old` entries is a prefix of that of `new`.

        None unless both are published. Raises UnavailableError.
        """
        size = self._published().size
        return self._proof(old, new) if 0 < old <= new <= size else None

    def _proof(self, old: int, new: int) -> list[bytes]:
        return self._ledger.log.consistency_proof(old, new) if 0 < old <= new else []

    def entries(self, start: int, count: int, done: Done[Entries]) -> None:
        """At most `count` published entries, within MAX_ENTRIES_BYTES; UnavailableError."""
        size = self._published().size

        def read(found: list[bytes]) -> None:
            done(Entries(size, found, 1 + len(found) // ENTRIES_PER_WORK))

        self._ledger.entries(start, count, unless_failed(done, read))
