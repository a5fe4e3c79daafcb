"""A closed exit as the ledger tells of it, its published statement, and the receipts in it."""

import random
from dataclasses import dataclass, replace
from typing import Any

from blackthorn.governance import exits
from blackthorn.governance.closure.receipt import ProvenReceipt, Receipt, place_in, tree_of
from blackthorn.governance.closure.statement import ClosureStatement, published, sign
from blackthorn.governance.package.build import register_key
from blackthorn.ids import Address
from blackthorn.programs.server.closure import register_seed
from blackthorn.wire.note import VerifierKey
from tests.support.walks import Walk, leaving

PEOPLE = 5


@dataclass
class Closed:
    """`data` is the file; `placed` the receipts, each with its way to the root."""

    walk: Walk
    statement: ClosureStatement
    data: bytes
    placed: list[ProvenReceipt]
    register: VerifierKey

    def signed(self, **other: Any) -> bytes:
        """Another statement, which the register signed all the same."""
        statement = replace(self.statement, **other)
        keys = self.walk.world.keys
        signature = sign(keys.origin, register_seed(keys), statement.exit, statement.hash)
        return published(statement, signature)


def receipt(number: int, chance: random.Random) -> Receipt:
    """A person's, of X-PK-1; every second one has read and exported."""
    did = number % 2 == 0
    return Receipt(
        exit="X-PK-1",
        market="PK",
        address=Address(f"u{number}@acme.example"),
        salt=chance.randbytes(32),
        notified=True,
        read=did,
        exported=did,
        moved=False,
        forwarded=False,
        mails=number,
        parcels=2,
    )


def closed() -> Closed:
    """X-PK-1, decided by officers from the plan to the end."""
    chance = random.Random(2015)
    walk = leaving().to("preparing")
    receipts = [receipt(number, chance) for number in range(PEOPLE)]
    tree = tree_of([each.leaf for each in receipts])
    keys = walk.world.keys
    register = register_key(keys.origin, register_seed(keys))
    counts = {"users": PEOPLE, "notified": PEOPLE, "read": 3, "exported": 3, "moved": 0}
    statement = ClosureStatement(
        exit="X-PK-1",
        market="PK",
        counts={**counts, "forwarded": 0, "unreachable": 0, "held": 0},
        root=tree_of([receipt.leaf for receipt in receipts]).root(),
        leaves=tuple(each.leaf for each in receipts),
        mails=10,
        parcels=10,
        key=chance.randbytes(32),
        prepared_ms=walk.world.now_ms,
        destroyed_ms=walk.world.now_ms + 5,
        backups_end_ms=exits.dates(walk.case)["backups_end_ms"],
        tried={"DE": chance.randbytes(32)},
        samples=(chance.randbytes(90), chance.randbytes(90)),
        register=str(register),
    )
    walk.take("destroy", **statement.destroy_fields())
    walk.take("close", **statement.close_fields())
    placed = [place_in(each, number, tree) for number, each in enumerate(receipts)]
    made = Closed(walk, statement, b"", placed, register)
    made.data = made.signed()
    return made
