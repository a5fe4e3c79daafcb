"""A group's state in rows: a message or a Commit writes what it altered, not the whole.

A row has a key of integers and bytes; a head has what belongs to no table. `take` gives what
differs from what was taken before; `load` and `recall` read it again. Their store need not know
what the rows mean.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import zip_longest

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codec import decode
from blackthorn.mls.epoch.epoch import Epoch, Member, PastEpoch, read_member
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import MalformedMessage
from blackthorn.mls.framing.proposals import ReInit
from blackthorn.mls.group import state_codec
from blackthorn.mls.group.state import State
from blackthorn.mls.schedule.secret_tree import Ratchet, SecretTree
from blackthorn.mls.suites import CipherSuite
from blackthorn.mls.tree.ratchet_tree import Node, RatchetTree, encode_node, read_node, tree_of
from blackthorn.wire.tls import Reader, opaque, optional, u8, u16, u32, u64, vector

VERSION = 3
"""Of the head; `state_codec` has 1 and 2, of a state in one piece."""


class Table(StrEnum):
    """The tables, with their keys."""

    EPOCH = "epoch"
    """(epoch): its constants; above the present number, this member's pending Commit."""
    NODE = "node"
    """(node): the present ratchet tree, without its blanks."""
    SECRET_NODE = "secret_node"  # noqa: S105 (the name of a table)
    """(node): the present secret tree, where its leaves are not opened."""
    RATCHET = "ratchet"
    """(epoch, leaf, kind)."""
    SKIPPED = "skipped"
    """(epoch, leaf, kind, generation): the key of a message that was overtaken."""
    LEAF_SPAN = "leaf_span"
    """(leaf, epoch): who is at a leaf from that epoch on; empty for nobody."""


Key = tuple[int, ...]
Rows = Mapping[Key, bytes]
Read = Callable[[Table, Key], Rows]
"""The rows of a table whose keys begin so."""


@dataclass
class Changes:
    """What to write: first `cleared` goes, rows whose keys begin so; None deletes a row.

    `head` is None when it stays.
    """

    head: bytes | None = field(default=None, repr=False)
    cleared: list[tuple[Table, Key]] = field(default_factory=list)
    rows: dict[str, dict[Key, bytes | None]] = field(
        default_factory=lambda: {table: {} for table in Table}, repr=False
    )


@dataclass(frozen=True)
class Taken:
    """What the rows have: compared by identity, for its parts do not change."""

    head: tuple[bool, int, int, ReInit | None]
    epoch: Epoch
    pending: StagedCommit | None


# --- Writing ------------------------------------------------------------------------------


def differs(state: State, taken: Taken | None) -> bool:
    """Whether anything differs from what was `taken`."""
    if taken is None or taken.epoch is not state.epoch or taken.pending is not state.pending:
        return True
    if state.epoch.secret_tree.touched or any(past.secret_tree.touched for past in state.past):
        return True
    return taken.head != _head(state)


def _head(state: State) -> tuple[bool, int, int, ReInit | None]:
    """What of the head changes; proposals come one by one, and go with their epoch."""
    return state.removed, len(state.proposals), len(state.update_keys), state.reinit


def take(state: State, taken: Taken | None) -> tuple[Changes, Taken] | None:
    """What differs from what was `taken`, all when nothing was; None: nothing differs."""
    if not differs(state, taken):
        return None
    made, epoch = Changes(), state.epoch
    if taken is None or taken.epoch is not epoch or taken.head != _head(state):
        made.head = _encode_head(state)
    number = epoch.context.epoch
    if taken is None:
        made.cleared = [(table, ()) for table in Table]
    if taken is None or taken.epoch is not epoch:
        _begin(made, state, None if taken is None else taken.epoch)
    elif epoch.secret_tree.touched:
        _alter(made, number, epoch.secret_tree)
    for past in state.past:
        if past.secret_tree.touched:
            _alter(made, past.context.epoch, past.secret_tree)
    if state.pending is not (taken and taken.pending):
        if taken is not None and taken.pending is not None:
            made.rows[Table.EPOCH].setdefault((taken.epoch.context.epoch + 1,), None)
        encoded = None if state.pending is None else _encode_pending(epoch, state.pending)
        made.rows[Table.EPOCH][number + 1,] = encoded
    return made, Taken(_head(state), epoch, state.pending)


def _begin(made: Changes, state: State, before: Epoch | None) -> None:
    """The epochs since the one `before`, and what they altered in the tree and of its members."""
    epoch = state.epoch
    known: Mapping[int, Member] = {} if before is None else before.roster
    for past in reversed(state.past):
        if before is None or past.context.epoch >= before.context.epoch:
            made.rows[Table.EPOCH][past.context.epoch,] = past.head
            _replace(made, past.context.epoch, past.secret_tree)
            known = _spans(made, past.context.epoch, known, past.roster)
    number = epoch.context.epoch
    made.rows[Table.EPOCH][number,] = b"".join(epoch.parts)
    _replace(made, number, epoch.secret_tree)
    _spans(made, number, known, epoch.roster)
    made.cleared.append((Table.SECRET_NODE, ()))
    made.rows[Table.SECRET_NODE].update(
        ((node,), secret) for node, secret in epoch.secret_tree.secrets.items()
    )
    made.rows[Table.NODE].update(
        ((index,), None if node is None else encode_node(node))
        for index, node in _differing([] if before is None else before.tree.nodes, epoch.tree.nodes)
    )


def _spans(
    made: Changes, epoch: int, before: Mapping[int, Member], after: Mapping[int, Member]
) -> Mapping[int, Member]:
    """Who came to a leaf or went with an epoch; returns `after`."""
    for leaf in before.keys() - after.keys():
        made.rows[Table.LEAF_SPAN][leaf, epoch] = b""
    for leaf, member in after.items():
        if before.get(leaf) != member:
            made.rows[Table.LEAF_SPAN][leaf, epoch] = member.encode()
    return after


def _differing(
    before: list[Node | None], after: list[Node | None]
) -> Iterator[tuple[int, Node | None]]:
    """The nodes of a tree that are others than those of the tree before it."""
    for index, (old, new) in enumerate(zip_longest(before, after)):
        if new is not old:
            yield index, new


def _replace(made: Changes, epoch: int, tree: SecretTree) -> None:
    """All ratchets of an epoch, instead of those that the rows have."""
    tree.close()
    made.cleared += [(Table.RATCHET, (epoch,)), (Table.SKIPPED, (epoch,))]
    tree.touched = dict.fromkeys(tree.ratchets, ())
    _alter(made, epoch, tree)


def _alter(made: Changes, epoch: int, tree: SecretTree) -> None:
    """The ratchets and nodes that messages have altered."""
    ratchets, skipped = made.rows[Table.RATCHET], made.rows[Table.SKIPPED]
    for (leaf, kind), before in tree.touched.items():
        ratchet = tree.ratchets[leaf, kind]
        ratchets[epoch, leaf, kind] = u32(ratchet.generation) + ratchet.secret
        if before or ratchet.skipped:
            skipped |= {(epoch, leaf, kind, gone): None for gone in {*before} - {*ratchet.skipped}}
            for generation in ratchet.skipped.keys() - {*before}:
                key, nonce = ratchet.skipped[generation]
                skipped[epoch, leaf, kind, generation] = opaque(key) + opaque(nonce)
    made.rows[Table.SECRET_NODE].update(((node,), tree.secrets.get(node)) for node in tree.opened)
    tree.touched, tree.opened = {}, set()


def _encode_head(state: State) -> bytes:
    keys = state.update_keys
    return b"".join(
        (
            u16(VERSION),
            u8(state.removed),
            u64(state.epoch.context.epoch),
            opaque(state.signature_private.expose()),
            vector(map(state_codec.encode_queued, state.proposals.values())),
            vector(opaque(key) + opaque(keys[key].expose()) for key in sorted(keys)),
            state_codec.encode_reinit(state.reinit),
        )
    )


def _encode_pending(present: Epoch, staged: StagedCommit) -> bytes:
    """With the nodes that differ from the present tree's, and an untouched secret tree."""
    new = staged.next
    if new is None:
        raise ValueError("this member cannot have committed its own removal")
    nodes = _differing(present.tree.nodes, new.tree.nodes)
    return b"".join(
        (
            state_codec.encode_changes(staged),
            new.parts[0],
            u32(len(new.tree.nodes)),
            vector(
                u32(index) + optional(None if node is None else encode_node(node))
                for index, node in nodes
                if index < len(new.tree.nodes)
            ),
            new.parts[1],
            state_codec.encode_secret_tree(new.secret_tree),
            state_codec.encode_reinit(staged.reinit),
        )
    )


# --- Reading ------------------------------------------------------------------------------


def load(head: bytes, read: Read) -> tuple[State, Taken]:
    """The state without its past epochs. Raises `MalformedMessage`, `UnsupportedSuite`."""
    state = decode(lambda reader: _read_state(reader, read), head, "stored group")
    return state, Taken(_head(state), state.epoch, state.pending)


def _read_state(reader: Reader, read: Read) -> State:
    if reader.u16() != VERSION:
        raise MalformedMessage("the stored group is of another version")
    removed, number, private = bool(reader.u8()), reader.u64(), Secret(reader.opaque())
    waiting = reader.vector(state_codec.read_queued)
    keys = dict(reader.vector(lambda r: (r.opaque(), Secret(r.opaque()))))
    reinit = state_codec.read_reinit(reader)
    epoch = _read_epoch(read, number)
    staged = read(Table.EPOCH, (number + 1,)).get((number + 1,))
    pending = None if staged is None else _read_pending(staged, epoch)
    proposals = {queued.reference or b"": queued for queued in waiting}
    return State(private, epoch, [], proposals, keys, pending, removed, reinit)


def _row(read: Read, epoch: int) -> bytes:
    found = read(Table.EPOCH, (epoch,)).get((epoch,))
    if found is None:
        raise MalformedMessage("the stored group has no such epoch")
    return found


def _read_epoch(read: Read, number: int) -> Epoch:
    rows = read(Table.NODE, ())
    if not rows:
        raise MalformedMessage("the stored group has no tree")
    nodes: list[Node | None] = [None] * (max(rows)[0] + 1)
    for (index,), encoded in rows.items():
        nodes[index] = decode(read_node, encoded, "stored node")
    tree = tree_of(nodes)
    secrets = {node: secret for (node,), secret in read(Table.SECRET_NODE, ()).items()}

    def secret_tree(_: Reader, chosen: CipherSuite) -> SecretTree:
        return SecretTree(chosen, tree.leaf_count, secrets, _ratchets(read, number))

    def read_it(reader: Reader) -> Epoch:
        return state_codec.read_epoch(reader, lambda _: tree, secret_tree)

    return decode(read_it, _row(read, number), "stored epoch")


def _ratchets(read: Read, epoch: int) -> dict[tuple[int, int], Ratchet]:
    skipped: dict[tuple[int, int], dict[int, tuple[bytes, bytes]]] = {}
    for (_, leaf, kind, generation), encoded in sorted(read(Table.SKIPPED, (epoch,)).items()):
        key = decode(lambda reader: (reader.opaque(), reader.opaque()), encoded, "stored key")
        skipped.setdefault((leaf, kind), {})[generation] = key
    return {
        (leaf, kind): Ratchet(
            encoded[4:], int.from_bytes(encoded[:4], "big"), skipped.get((leaf, kind), {})
        )
        for (_, leaf, kind), encoded in read(Table.RATCHET, (epoch,)).items()
    }


def _read_pending(data: bytes, present: Epoch) -> StagedCommit:
    def read_tree(reader: Reader) -> RatchetTree:
        count = reader.u32()
        nodes = [*present.tree.nodes[:count], *[None] * (count - len(present.tree.nodes))]
        for index, node in reader.vector(lambda r: (r.u32(), r.optional(read_node))):
            nodes[index] = node
        return tree_of(nodes)

    def read_next(reader: Reader) -> Epoch:
        return state_codec.read_epoch(reader, read_tree, state_codec.read_secret_tree)

    def read_it(reader: Reader) -> StagedCommit:
        return state_codec.read_staged(reader, present, read_next)

    return decode(read_it, data, "stored Commit")


def recall(epoch: int, read: Read) -> PastEpoch | None:
    """A past epoch with what is kept of it, or None. Raises `MalformedMessage`."""
    row = read(Table.EPOCH, (epoch,)).get((epoch,))
    if row is None:
        return None
    roster = members_at(epoch, read(Table.LEAF_SPAN, ()))

    def secret_tree(_: Reader, chosen: CipherSuite) -> SecretTree:
        leaf_count = 1 << max(roster, default=0).bit_length()
        return SecretTree(chosen, leaf_count, {}, _ratchets(read, epoch))

    def read_it(reader: Reader) -> PastEpoch:
        return state_codec.read_past(reader, lambda _: roster, secret_tree)

    return decode(read_it, row, "stored epoch")


def all_members(spans: Rows) -> Iterator[Member]:
    """All who ever were at a leaf, as far as rows of `Table.LEAF_SPAN` are kept."""
    for encoded in spans.values():
        if encoded:
            yield decode(read_member, encoded, "stored member")


def members_at(epoch: int, spans: Rows) -> dict[int, Member]:
    """The members of an epoch by leaf index, from all rows of `Table.LEAF_SPAN`."""
    newest: dict[int, bytes] = {}
    for (leaf, since), encoded in sorted(spans.items()):
        if since <= epoch:
            newest[leaf] = encoded
    return {
        leaf: decode(read_member, encoded, "stored member")
        for leaf, encoded in newest.items()
        if encoded
    }
