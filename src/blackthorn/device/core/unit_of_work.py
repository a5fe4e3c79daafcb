"""Unit of work of a device: one transaction over its records, with time, randomness and keys.

Opened groups are kept so that a batch of parcels reads each once; each `attempt`, and `finish`,
writes their changes back. A process keeps them beyond the unit once it is durable.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from blackthorn.crypto.secret import Secret
from blackthorn.device.core import envelope, kept_epochs
from blackthorn.device.core.envelope import EnvelopeKey
from blackthorn.device.core.groups import Conversation as Conversation
from blackthorn.device.core.groups import GroupCache
from blackthorn.device.core.keys import DeviceKeys
from blackthorn.device.core.members import GatheringValidator, Identity, LeafValidator
from blackthorn.device.core.verified_chains import ChainCache, Chains
from blackthorn.errors import InputError
from blackthorn.ports.device_store import DeviceStore, Records

GENERATION = "generation"
"""The setting that counts changes of any conversation's keys."""

ASK_AGAIN = "ask-again"
"""The setting with the generation at which undecryptable parcels became retryable; empty: none."""


BRANCH_LABEL = "blackthorn branch"
"""The exporter label by which two members compare their histories (`device.healing`)."""


@dataclass(slots=True)
class UnitOfWork:
    """See the module. `now_ms` is Unix time in milliseconds."""

    keys: DeviceKeys
    records: Records
    now_ms: int
    random: Callable[[int], bytes]
    chains: Chains
    groups: GroupCache
    _open: dict[bytes, Conversation] = field(default_factory=dict)
    _envelopes: tuple[int, list[EnvelopeKey]] | None = None
    """With the generation in which they were read."""
    _own: tuple[Identity, bytes] | None = None

    @property
    def me(self) -> Identity:
        return self._self[0]

    @property
    def _self(self) -> tuple[Identity, bytes]:
        """This device and its public key, computed once."""
        if self._own is None:
            public = self.keys.identity_public
            self._own = Identity(self.keys.address, self.keys.device), public
        return self._own

    @property
    def validate(self) -> LeafValidator:
        """The validator for a single leaf."""
        return LeafValidator(*self._self, self.chains.of)

    def gathering(self) -> GatheringValidator:
        """The validator that collects all unknown devices of a message."""
        return GatheringValidator(*self._self, self.chains.of)

    def open(self, conversation: bytes) -> Conversation:
        """The conversation of that group id. Raises InputError when there is none."""
        found = self._open.get(conversation)
        if found is None:
            record = self.records.conversations.get(conversation)
            if record is None:
                raise InputError("there is no such conversation")
            found = self._open[conversation] = self.groups.take(self.records, record)
        return found

    def adopt(self, conversation: Conversation) -> None:
        """Store a conversation created or joined in this unit of work."""
        self._open[conversation.record.id] = conversation
        self.records.conversations.put(conversation.record)  # which its rows refer to
        self.moved(conversation)

    def moved(self, conversation: Conversation) -> None:
        """Store a new epoch and its envelope key; undecryptable parcels may be decryptable now."""
        group = conversation.group
        key = self.envelope_key(conversation).key.expose()
        self.records.conversations.put_envelope_key(group.group_id, group.epoch, key)
        conversation.record = replace(conversation.record, epoch=group.epoch)
        conversation.write(self.records)
        kept_epochs.ended(self.records, group.group_id, group.epoch, self.now_ms)
        branch = group.label_secret(BRANCH_LABEL).expose()
        self.records.healing.put_branch(group.group_id, group.epoch, branch, self.now_ms)
        self._envelopes = None
        self.bump()

    def drop(self, conversation: bytes) -> None:
        self._open.pop(conversation, None)
        self.records.conversations.remove(conversation)
        self._envelopes = None

    def bump(self) -> None:
        """Count a change of keys: undecryptable parcels may be decryptable now."""
        reached = (generation(self.records) + 1).to_bytes(8, "big")
        self.records.settings.put(GENERATION, reached)
        if self.records.parcels.all_undecryptable():
            self.records.settings.put(ASK_AGAIN, reached)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A part of the unit that is undone alone, groups included, when its block raises."""
        self.finish()
        for conversation in self._open.values():
            conversation.altered = False
        try:
            with self.records.attempt():
                yield
                self.finish()
        except BaseException:
            self._open = {name: one for name, one in self._open.items() if not one.is_altered}
            self._envelopes = None
            raise

    def finish(self) -> None:
        """Write what has changed in opened groups."""
        for conversation in self._open.values():
            conversation.write(self.records)

    def done(self) -> None:
        """The unit is durable: the process keeps the groups."""
        for conversation in self._open.values():
            self.groups.keep(conversation)
        if self._envelopes is not None:
            self.groups.envelopes = self._envelopes

    def envelope_key(self, conversation: Conversation) -> EnvelopeKey:
        """The envelope key of the conversation's current epoch."""
        group = conversation.group
        key = group.export(envelope.EXPORT_LABEL, b"", envelope.KEY_BYTES)
        return EnvelopeKey((group.group_id, group.epoch), Secret(key))

    def envelopes(self) -> list[EnvelopeKey]:
        """All stored envelope keys, those of present epochs first."""
        if self._envelopes is None:
            now, (then, known) = generation(self.records), self.groups.envelopes
            if now != then:
                known = [
                    EnvelopeKey((conversation, epoch), Secret(key))
                    for conversation, epoch, key in self.records.conversations.envelope_keys()
                ]
            self._envelopes = now, known
        return self._envelopes[1]


def generation(records: Records) -> int:
    """How often any conversation's keys have changed."""
    return int.from_bytes(records.settings.get(GENERATION) or b"", "big")


@contextmanager
def unit(
    store: DeviceStore,
    keys: DeviceKeys,
    now_ms: int,
    random: Callable[[int], bytes],
    cache: ChainCache | None = None,
    groups: GroupCache | None = None,
) -> Iterator[UnitOfWork]:
    """A unit of work: durable at the block's end, undone when it raises.

    `cache` and `groups` are what the process keeps between units.
    """
    with store.transaction() as records:
        chains = Chains(records, ChainCache() if cache is None else cache)
        current = UnitOfWork(
            keys, records, now_ms, random, chains, GroupCache() if groups is None else groups
        )
        yield current
        current.finish()
    current.done()
