"""Stored forms beside an operation: its posting, and the key packages claimed for it."""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from blackthorn.device.core import stored, unit_of_work
from blackthorn.link.frames import ClaimedKeyPackage, Posting
from blackthorn.ports.device_store import OutboxRecord

UNREADABLE: Final = "the outbox has an operation of another version of this program: update it"

MOVE: Final = "move"
"""The sort of a posting with the Commit that announces a new group, and that group's Welcome."""

COMMITS: Final = ("commit", "clearing", "additions", MOVE)
"""Sorts of postings with a Commit, which is pending in its group until it is accepted."""

STEPS: Final = ("clearing", "additions")
"""Of these the sorts after which the operation goes on."""


class PreparedPosting(Struct, frozen=True, omit_defaults=True):
    """A posting of an operation, sealed in `epoch`.

    `fanouts` are the device ids of its fan-out lists; none for a text, which goes to all members.
    `sort` is "text", "creation" (with the conversation's Welcome), "commit", "given" (parcels
    sealed before, for devices that lack them), or a Commit after which the operation goes on:
    "clearing" removes devices first, "additions" adds some of many.
    The parts of a large group's `tree` follow when it is accepted, each by a posting of sort "tree"
    to the `joining` devices; `after` is then the sort of the one that they follow. `successor` is
    the stored group that takes the conversation's place once a posting of sort "move" is accepted.
    """

    posting: Posting
    fanouts: list[list[bytes]]
    conversation: bytes
    epoch: int
    sort: str
    tree: list[Posting] = []
    joining: list[bytes] = []
    after: str = ""
    successor: bytes = b""

    def next(self) -> "PreparedPosting | None":
        """What is sent once this posting is accepted."""
        if not self.tree:
            return None
        posting, *rest = self.tree
        after = self.after or self.sort
        return replace(
            self,
            posting=posting,
            fanouts=[self.joining],
            tree=rest,
            sort="tree",
            after=after,
            successor=b"",
        )

    @property
    def lists(self) -> dict[bytes, list[bytes]]:
        """Fan-out id → device ids, in the order of the parcels."""
        names = dict.fromkeys(parcel.fanout for parcel in self.posting.parcels)
        return dict(zip(names, self.fanouts, strict=True))


class KeyPackageClaim(Struct, frozen=True, omit_defaults=True):
    """Claimed key packages, and the users for whom the server answered.

    `devices` are to be claimed again, of users who are not answered; `since_ms` is when a package
    first came of a device that the ledger does not show.
    """

    packages: list[ClaimedKeyPackage]
    answered: list[str]
    tries: int = 0
    devices: list[bytes] = []
    since_ms: int = 0

    def missing(self, users: Iterable[str]) -> list[str]:
        """The users for whom the server has not answered yet."""
        return [user for user in users if user not in self.answered]

    def again(self, users: Collection[str], devices: Collection[bytes]) -> "KeyPackageClaim":
        """The same without these devices of these users, counted as one more try."""
        packages = [package for package in self.packages if package.device not in devices]
        answered = [user for user in self.answered if user not in users]
        return KeyPackageClaim(packages, answered, self.tries + 1, list(devices), self.since_ms)

    def with_answer(
        self, packages: Iterable[ClaimedKeyPackage], without: Iterable[str]
    ) -> "KeyPackageClaim":
        """The same with an answer of the server; `without`: users of whom it has no packages."""
        fresh = [package for package in packages if package.address not in self.answered]
        answered = {package.address for package in fresh} | set(without)
        total = sorted({*self.answered, *answered})
        return replace(self, packages=self.packages + fresh, answered=total, devices=[])


_prepared = msgspec.msgpack.Decoder(PreparedPosting)
_claim = msgspec.msgpack.Decoder(KeyPackageClaim)
encode = msgspec.msgpack.Encoder().encode


def decode_prepared(data: bytes) -> PreparedPosting:
    """Raises DamageError."""
    return stored.decode(_prepared, data, UNREADABLE)


def claim_of(row: OutboxRecord) -> KeyPackageClaim:
    """The row's claimed key packages, empty before a claim. Raises DamageError."""
    if row.packages is None:
        return KeyPackageClaim([], [])
    return stored.decode(_claim, row.packages, UNREADABLE)


def outdated(unit: unit_of_work.UnitOfWork, row: OutboxRecord) -> bool:
    """Whether a prepared text is of a past epoch and must be sealed again."""
    if row.prepared is None:
        return False
    prepared = decode_prepared(row.prepared)
    record = unit.records.conversations.get(prepared.conversation)
    return prepared.sort == "text" and (record is None or record.epoch != prepared.epoch)
