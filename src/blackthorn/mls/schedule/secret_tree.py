"""The secret tree (RFC 9420, 9): one key for each message of an epoch, used once.

`prepare` finds a key and changes nothing; `KeyUse.consume`, called for authentic messages only,
erases it. A forged copy therefore destroys no key. `touched` and `opened` tell what was altered.
"""

from collections.abc import Collection
from dataclasses import dataclass

from blackthorn.crypto.secret import Secret
from blackthorn.mls import limits
from blackthorn.mls.errors import DecryptionFailed, GenerationConsumed
from blackthorn.mls.rules import Rule
from blackthorn.mls.suites import CipherSuite
from blackthorn.mls.tree import treemath

HANDSHAKE = 0
APPLICATION = 1
_KINDS = (b"handshake", b"application")

KeyNonce = tuple[bytes, bytes]


class Ratchet:
    """One sender's immutable key chain for one kind of message."""

    __slots__ = ("generation", "secret", "skipped")

    def __init__(self, secret: bytes, generation: int, skipped: dict[int, KeyNonce]) -> None:
        self.secret = secret
        self.generation = generation
        """The generation that `secret` is for: the next that was not seen."""
        self.skipped = skipped
        """Keys of generations that were overtaken, ascending."""

    def key(self, suite: CipherSuite) -> KeyNonce:
        derive = suite.derive_tree_secret
        return (
            derive(self.secret, b"key", self.generation, suite.aead.key_size),
            derive(self.secret, b"nonce", self.generation, suite.aead.nonce_size),
        )

    def next_secret(self, suite: CipherSuite) -> bytes:
        return suite.derive_tree_secret(self.secret, b"secret", self.generation, suite.hash_size)

    def take(self, suite: CipherSuite, generation: int) -> tuple[KeyNonce, "Ratchet"]:
        """A key and the ratchet without it. Raises `GenerationConsumed`, `DecryptionFailed`."""
        if generation < self.generation:
            if generation not in self.skipped:
                raise GenerationConsumed("the message's key was used or given up", Rule.KEY_ONCE)
            rest = self.skipped.copy()
            return rest.pop(generation), Ratchet(self.secret, self.generation, rest)
        if generation - self.generation > limits.MLS_MAX_FORWARD:
            raise DecryptionFailed("the message is too many generations ahead", Rule.RATCHET_BOUND)
        if generation == self.generation:  # in order: nothing to set aside
            after = Ratchet(self.next_secret(suite), generation + 1, self.skipped)
            return self.key(suite), after
        walker, skipped = self, self.skipped.copy()
        while walker.generation < generation:
            skipped[walker.generation] = walker.key(suite)
            walker = Ratchet(walker.next_secret(suite), walker.generation + 1, skipped)
        while len(skipped) > limits.MLS_MAX_SKIPPED:
            del skipped[next(iter(skipped))]
        return walker.key(suite), Ratchet(walker.next_secret(suite), generation + 1, skipped)


@dataclass(frozen=True)
class _Opening:
    """The tree opened down to one leaf: its ratchets, and the secrets beside the path."""

    leaf: int
    spent: list[int]
    siblings: dict[int, bytes]
    ratchets: tuple[Ratchet, Ratchet]


class KeyUse:
    """A key for one message; `consume` erases it from the tree."""

    __slots__ = ("_after", "_kind", "_leaf", "_opening", "_tree", "generation", "key", "nonce")

    def __init__(
        self,
        tree: "SecretTree",
        leaf: int,
        kind: int,
        generation: int,
        opening: _Opening | None,
        taken: tuple[KeyNonce, Ratchet],
    ) -> None:
        self._tree = tree
        self._leaf = leaf
        self._kind = kind
        self.generation = generation
        self._opening = opening
        (self.key, self.nonce), self._after = taken

    def consume(self) -> None:
        if self._opening is not None:
            self._tree._open(self._opening)
        self._tree._put(self._leaf, self._kind, self._after)


class SecretTree:
    """The unused secrets of one epoch."""

    __slots__ = ("_late_senders", "leaf_count", "opened", "ratchets", "secrets", "suite", "touched")

    def __init__(
        self,
        suite: CipherSuite,
        leaf_count: int,
        secrets: dict[int, bytes],
        ratchets: dict[tuple[int, int], Ratchet],
        late_senders: frozenset[int] | None = None,
    ) -> None:
        self.suite = suite
        self.leaf_count = leaf_count
        self.secrets = secrets
        """Secrets of tree nodes whose descendants were not opened, by node index."""
        self.ratchets = ratchets
        """Ratchets of opened leaves, by leaf index and kind."""
        self.touched: dict[tuple[int, int], tuple[int, ...]] = {}
        """Ratchets altered since they were taken, with the overtaken generations they had then."""
        self.opened: set[int] = set()
        """Nodes whose secret came or went since they were taken."""
        self._late_senders = late_senders
        """In a past epoch that is not closed yet: the leaves whose messages may still come."""

    @classmethod
    def of_epoch(cls, suite: CipherSuite, leaf_count: int, encryption: Secret) -> "SecretTree":
        return cls(suite, leaf_count, {treemath.root(leaf_count): encryption.expose()}, {})

    def prepare(self, leaf: int, kind: int, generation: int) -> KeyUse:
        """The key of a message, unconsumed. Raises `GenerationConsumed`, `DecryptionFailed`."""
        opening, ratchet = self._ratchet(leaf, kind)
        taken = ratchet.take(self.suite, generation)
        return KeyUse(self, leaf, kind, generation, opening, taken)

    def prepare_next(self, leaf: int, kind: int) -> tuple[int, KeyUse]:
        """Generation and key of this member's next message."""
        opening, ratchet = self._ratchet(leaf, kind)
        taken = ratchet.take(self.suite, ratchet.generation)
        use = KeyUse(self, leaf, kind, ratchet.generation, opening, taken)
        return ratchet.generation, use

    def forget_handshake(self, leaf: int, generation: int) -> None:
        """Erase the key of a merged Commit if it is still there."""
        try:
            self.prepare(leaf, HANDSHAKE, generation).consume()
        except DecryptionFailed:
            return

    def forget_leaf(self, leaf: int) -> None:
        """In a past epoch: erase the keys of a leaf."""
        self.close()
        self.ratchets.pop((leaf, APPLICATION), None)
        self.touched.pop((leaf, APPLICATION), None)

    def applications_only(self, members: Collection[int], own: int) -> "SecretTree":
        """The part for late application messages of a past epoch, to be closed when stored."""
        ratchets = {
            (leaf, kind): ratchet
            for (leaf, kind), ratchet in self.ratchets.items()
            if kind == APPLICATION and leaf != own
        }
        late = frozenset(leaf for leaf in members if leaf != own)
        return SecretTree(self.suite, self.leaf_count, self.secrets.copy(), ratchets, late)

    def close(self) -> None:
        """In a past epoch: open all leaves and erase whatever the key of a handshake comes from."""
        late, self._late_senders = self._late_senders, None
        if late is None:
            return
        expand, size = self.suite.expand_with_label, self.suite.hash_size
        waiting = list(self.secrets.items())
        while waiting:
            node, secret = waiting.pop()
            if node & 1:
                left, right = treemath.left(node), treemath.right(node)
                waiting.append((left, expand(secret, b"tree", b"left", size)))
                waiting.append((right, expand(secret, b"tree", b"right", size)))
            elif node // 2 in late:
                ratchet = Ratchet(expand(secret, b"application", b"", size), 0, {})
                self.ratchets[node // 2, APPLICATION] = ratchet
        self.secrets.clear()
        for leaf in late:
            self.ratchets.pop((leaf, HANDSHAKE), None)

    def _ratchet(self, leaf: int, kind: int) -> tuple[_Opening | None, Ratchet]:
        ratchet = self.ratchets.get((leaf, kind))
        if ratchet is not None:
            return None, ratchet
        opening = self._plan(leaf)
        return opening, opening.ratchets[kind]

    def _plan(self, leaf: int) -> _Opening:
        if not 0 <= leaf < self.leaf_count:
            raise DecryptionFailed("the sender is not in the tree", Rule.SENDER_IS_MEMBER)
        expand, size = self.suite.expand_with_label, self.suite.hash_size
        path = [2 * leaf, *treemath.direct_path(2 * leaf, self.leaf_count)]
        held = next((node for node in path if node in self.secrets), None)
        if held is None:
            raise GenerationConsumed("the sender's keys of this epoch are gone", Rule.KEY_ONCE)
        node, secret, siblings = held, self.secrets[held], {}
        while node != 2 * leaf:
            left, right = treemath.left(node), treemath.right(node)
            secrets = {
                left: expand(secret, b"tree", b"left", size),
                right: expand(secret, b"tree", b"right", size),
            }
            node = left if 2 * leaf < node else right
            secret = secrets.pop(node)
            siblings.update(secrets)
        ratchets = [Ratchet(expand(secret, kind, b"", size), 0, {}) for kind in _KINDS]
        return _Opening(leaf, [held], siblings, (ratchets[0], ratchets[1]))

    def _open(self, opening: _Opening) -> None:
        for node in opening.spent:
            self.secrets.pop(node, None)
        self.secrets.update(opening.siblings)
        self.opened.update(opening.spent, opening.siblings)
        for kind, ratchet in enumerate(opening.ratchets):
            if (opening.leaf, kind) not in self.ratchets:
                self._put(opening.leaf, kind, ratchet)

    def _put(self, leaf: int, kind: int, ratchet: Ratchet) -> None:
        before = self.ratchets.get((leaf, kind))
        if (leaf, kind) not in self.touched:
            self.touched[leaf, kind] = () if before is None else tuple(before.skipped)
        self.ratchets[leaf, kind] = ratchet
