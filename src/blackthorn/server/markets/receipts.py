"""Receipts of a closure: the Merkle tree over them, and each person's inclusion proof.

A tree is built once from pages of leaf hashes and cached: 6.4 MB per 100,000 persons.
"""

from functools import partial

from blackthorn.errors import BlackthornError, DamageError, VerificationError
from blackthorn.governance.closure.receipt import decode_receipt, place_in
from blackthorn.ids import Address
from blackthorn.ports.governance import closure as ports
from blackthorn.ports.store import Done, Reader, call_each, unless_failed
from blackthorn.server.markets import limits
from blackthorn.server.markets.paging import read_pages
from blackthorn.tlog.merkle import MerkleLog


class Receipts:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._trees: dict[str, MerkleLog] = {}
        self._waiting: dict[str, list[Done[MerkleLog]]] = {}

    def tree(self, closure: ports.Closure, done: Done[MerkleLog]) -> None:
        """The tree over the receipts of a closure that is complete."""
        known = self._trees.get(closure.exit)
        if known is not None and closure.root in (None, known.root()):
            done(known)
            return
        waiting = self._waiting.setdefault(closure.exit, [])
        waiting.append(done)
        if len(waiting) == 1:
            self._build(closure)

    def forget(self, exit_id: str) -> None:
        """The receipts are dropped, and may be made again."""
        self._trees.pop(exit_id, None)

    def _build(self, closure: ports.Closure) -> None:
        tree = MerkleLog()

        def take(leaves: list[bytes]) -> int | None:
            for leaf in leaves:
                tree.append_hash(leaf)
            return tree.size if len(leaves) == limits.LEAF_PAGE else None

        def built(error: BlackthornError | None) -> None:
            if error is None:
                while len(self._trees) >= limits.MAX_CACHED_TREES:
                    self._trees.pop(next(iter(self._trees)))
                self._trees[closure.exit] = tree
            result = tree if error is None else error
            call_each(partial(done, result) for done in self._waiting.pop(closure.exit, []))

        def query(start: int) -> ports.ListLeaves:
            return ports.ListLeaves(closure.exit, start, limits.LEAF_PAGE)

        read_pages(self._reader, 0, query, take, built)

    def receipt(self, address: Address, done: Done[bytes | None]) -> None:
        """The person's receipt and proof in the newest prepared closure, or None."""

        by_exit: dict[str, ports.StoredReceipt] = {}

        def found(receipts: list[ports.StoredReceipt]) -> None:
            by_exit.update((receipt.exit, receipt) for receipt in receipts)
            if receipts:
                self._reader.ask(ports.ListClosures(), unless_failed(done, choose))
            else:
                done(None)

        def choose(closures: list[ports.Closure]) -> None:
            prepared = [
                closure
                for closure in closures
                if closure.exit in by_exit
                and closure.root is not None
                and closure.phase is not ports.Phase.DROP
            ]
            if not prepared:
                done(None)
                return
            newest = max(prepared, key=lambda closure: closure.begun_ms)
            self._place(newest, by_exit[newest.exit], done)

        self._reader.ask(ports.FindReceipts(address), unless_failed(done, found))

    def _place(
        self, closure: ports.Closure, receipt: ports.StoredReceipt, done: Done[bytes | None]
    ) -> None:
        def built(tree: MerkleLog) -> None:
            if receipt.place >= tree.size:  # the receipts are being dropped
                done(None)
            else:
                done(_proven(receipt, tree))

        self.tree(closure, unless_failed(done, built))


def _proven(receipt: ports.StoredReceipt, tree: MerkleLog) -> bytes | DamageError:
    try:
        return place_in(decode_receipt(receipt.data), receipt.place, tree).encode()
    except VerificationError as error:
        return DamageError(f"a stored receipt breaks a rule: {error}")
