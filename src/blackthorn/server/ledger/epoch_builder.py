"""Epoch builder: the next epoch's entries, from what waits.

Order: a new configuration, typed records, changes of the map by user, the head. One change
publishes all unpublished statements of a chain, but a reset or cancel ends a change, so that its
log entry commits to exactly it. Nothing here writes; a durable epoch is never made again.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from blackthorn.crypto.secret import Secret
from blackthorn.directory.commitment import Value, commit, opening_for
from blackthorn.directory.config import DirectoryConfig
from blackthorn.directory.entries import ConfigEntry, Head, Mutation, Record
from blackthorn.directory.head_times import Steps, after_head
from blackthorn.directory.prefix_tree import PrefixTree
from blackthorn.ports import ledger as ports
from blackthorn.tlog import checkpoint as tlog
from blackthorn.tlog.checkpoint import LogSigner
from blackthorn.tlog.merkle import MerkleLog


class Openings:
    """Openings of commitments, derived from the ledger's secret and a user's salt."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def of(self, label: ports.Label, version: int) -> bytes:
        """The 16-byte opening of a version of a user's leaf."""
        own = hmac.digest(self._secret.expose(), label.salt, "sha256")
        return opening_for(own, label.index, version)

    def commitment(self, label: ports.Label, leaf: ports.Leaf) -> bytes:
        return commit(
            self.of(label, leaf.version), label.address, leaf.version, value_of(leaf).encode()
        )


def value_of(leaf: ports.Leaf) -> Value:
    """The map's value of the leaf."""
    return Value(leaf.head, leaf.seq, leaf.flags)


@dataclass(frozen=True, slots=True)
class Tip:
    """The end of an epoch: its head, the log's size with it, and the map.

    `steps` are where the times of heads went on by over an hour (`directory.head_times`).
    """

    size: int
    head: bytes
    epoch: int
    unix_ms: int
    config: bytes
    tree: PrefixTree
    steps: Steps


@dataclass(frozen=True, slots=True)
class Draft:
    """An epoch to store, and its tip."""

    epoch: ports.Epoch
    tip: Tip


@dataclass(frozen=True, slots=True)
class WaitingUser:
    """A user's unpublished statements, oldest first; `version` is their newest leaf's, or 0."""

    label: ports.Label
    version: int
    statements: tuple[ports.StoredStatement, ...]


def by_user(found: Sequence[ports.WaitingStatement]) -> list[WaitingUser]:
    """The users of these statements, in the order of their first ones."""
    users: dict[int, WaitingUser] = {}
    for row in found:
        known = users.get(row.label.user)
        before = () if known is None else known.statements
        users[row.label.user] = WaitingUser(row.label, row.version, (*before, row.statement))
    return list(users.values())


@dataclass(frozen=True, slots=True)
class Waiting:
    """Statements and typed entries for the next epoch."""

    users: Sequence[WaitingUser]
    records: Sequence[ports.WaitingRecord]

    @property
    def count(self) -> int:
        return len(self.records) + sum(len(user.statements) for user in self.users)


class EpochBuilder:
    """Builds epochs; only it appends to `log` and signs checkpoints."""

    def __init__(self, log: MerkleLog, signer: LogSigner, openings: Openings) -> None:
        self._log = log
        self._signer = signer
        self._openings = openings

    def draft(
        self, tip: Tip | None, config: DirectoryConfig, waiting: Waiting, unix_ms: int
    ) -> Draft:
        """The epoch behind `tip`, whose head is of `unix_ms`."""
        start = self._log.size
        number = 1 if tip is None else tip.epoch + 1
        tree = PrefixTree() if tip is None else tip.tree
        entries: list[bytes] = []
        if tip is None or tip.config != config.digest:
            entries.append(ConfigEntry(number, config.encode()).encode())
        entries += [Record(each.kind, number, each.body).encode() for each in waiting.records]
        leaves: list[ports.Leaf] = []
        published: list[tuple[int, int, int, int]] = []
        changed: dict[bytes, bytes] = {}
        for user in waiting.users:
            for run, leaf in _leaves(user, start + len(entries)):
                commitment = self._openings.commitment(user.label, leaf)
                mutation = Mutation(number, user.label.index, leaf.version, commitment)
                entries.append(mutation.encode())
                changed[user.label.index] = commitment
                leaves.append(leaf)
                published.append((leaf.user, run[0].seq, run[-1].seq, leaf.place))
        tree = tree.updated(changed)
        head = Head(number, unix_ms, tree.root, tree.users, len(leaves), config.digest).encode()
        entries.append(head)
        checkpoint = self._sign(entries)
        records = tuple(each.number for each in waiting.records)
        steps = () if tip is None else after_head(tip.steps, tip.epoch, tip.unix_ms, unix_ms)
        return Draft(
            ports.Epoch(
                start, tuple(entries), tuple(leaves), tuple(published), records, checkpoint
            ),
            Tip(checkpoint.size, head, number, unix_ms, config.digest, tree, steps),
        )

    def _sign(self, entries: Sequence[bytes]) -> ports.Checkpoint:
        self._log.extend(entries)
        size, root = self._log.size, self._log.root()
        note = self._signer.sign(tlog.Checkpoint(self._signer.vkey.name, size, root))
        return ports.Checkpoint(size, root, note, published=False)


def _leaves(
    user: WaitingUser, place: int
) -> list[tuple[Sequence[ports.StoredStatement], ports.Leaf]]:
    made: list[tuple[Sequence[ports.StoredStatement], ports.Leaf]] = []
    begun = 0
    for end, statement in enumerate(user.statements, 1):
        if statement.kind in ports.LOGGED_KINDS or end == len(user.statements):
            version = user.version + len(made) + 1
            leaf = ports.Leaf(
                user.label.user,
                version,
                statement.head,
                statement.seq,
                statement.flags,
                place + len(made),
            )
            made.append((user.statements[begun:end], leaf))
            begun = end
    return made
