"""Reconciler: bring groups and keys in line with the user's chain. Safe to stop at any point.

1. Remove a revoked device from the self-group before sending anything else there.
2. Then replace an OpenPGP key that a former device knows: share the new secret first, and name it
   in the chain afterwards (docs/adr/0013-a-new-mail-key-after-a-revocation.md).
3. Create the self-group for a second device, and add each new device to it.
4. Add devices of the self-group to every conversation, and remove revoked ones from them all.
5. Add devices of others that are left out, and renew this device's leaves that are due.

The device that signed the newest statement acts at once, the others after a delay.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.account import arrivals, limits
from blackthorn.device.account.removals import Removals
from blackthorn.device.conversations import conversations, left_out, self_group
from blackthorn.device.core.group_metadata import SELF
from blackthorn.device.core.members import identities
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork, generation
from blackthorn.device.healing.states import State
from blackthorn.device.mail import keys
from blackthorn.device.operations import (
    add_later,
    change_chain,
    create_self_group,
    share_state,
    table,
)
from blackthorn.device.operations.change_chain import ChangeChain
from blackthorn.device.operations.healing import renew
from blackthorn.device.operations.keep_members import KeepMembers
from blackthorn.device.operations.operation import Operation
from blackthorn.device.transparency import departures, local_chain, verified
from blackthorn.device.transparency.ledger_state import clock_ms
from blackthorn.identity.chain import VerifiedChain
from blackthorn.identity.statements import decode
from blackthorn.ports.device_store import MailKeyRecord

FIRST_WAIT_MS: Final = 2_000
"""First wait after a change; it doubles up to UPKEEP_SECONDS."""

QUIET_MS: Final = 6 * 3_600_000
"""Longest time in which it trusts that nothing became due, as long as what it looks at is the same.

A device at rest looks every half minute; everything that makes something due is in `_facts`.
"""

_SEEN: Final = "upkeep-since"
_NEXT: Final = "mail-key-next"
_LOOKED_AT: Final = "upkeep-done"


class Schedule:
    """Back-off schedule of the reconciler; a change of keys or chain resets it."""

    def __init__(self) -> None:
        self._generation = -1
        self._renewals = renew.Schedule()
        self._removals = Removals()
        self.poke()

    def connected(self) -> None:
        """A new connection: look at once."""
        self._renewals.connected()
        self.poke()

    def poke(self) -> None:
        """Reset the back-off: keys or chain have changed."""
        self._due_ms = 0
        self._wait_ms = FIRST_WAIT_MS
        self._quiet: tuple[object, ...] | None = None
        """The facts of which nothing was due."""
        self._quiet_ms = 0

    def look(self, unit: UnitOfWork) -> set[bytes]:
        """Enqueue due operations if it is time to look; the targets of the new operations."""
        now = generation(unit.records)
        if unit.now_ms < self._due_ms and now == self._generation:
            return set()
        self._due_ms = unit.now_ms + self._wait_ms
        self._wait_ms = min(2 * self._wait_ms, limits.UPKEEP_SECONDS * 1000)
        self._generation = now
        numbers = self._enqueue_due(unit)
        if local_chain.live(unit) is not None:
            numbers += _enqueue(unit, [*self._removals.due(unit), *self._renewals.due(unit)])
        rows = (unit.records.outbox.get(number) for number in numbers)
        return {row.target for row in rows if row is not None}

    def _enqueue_due(self, unit: UnitOfWork) -> list[int]:
        facts = _facts(unit)
        same = facts is not None and facts == self._quiet
        if same and 0 <= unit.now_ms - self._quiet_ms < QUIET_MS:
            return []
        numbers, nothing = enqueue_due(unit)
        self._quiet, self._quiet_ms = (_facts(unit) if nothing else None), unit.now_ms
        return numbers


def _facts(unit: UnitOfWork) -> tuple[object, ...] | None:
    """What `enqueue_due` decides by; None if it must look because something waits for a time."""
    records, published = unit.records, unit.chains.of(unit.me.address)
    if left_out.some(unit) or departures.users(unit, departures.COME):
        return None
    return (
        generation(records),
        published.head if published is not None else b"",
        local_chain.unpublished_data(records.settings),
        verified.marks_data(records.settings),
        verified.unsettled(unit),
        self_group.shared(records.settings),
        [(record.id, record.standing) for record in records.conversations.all()],
        [key.fingerprint for key in records.mail_keys.all()],
    )


class _HeadSighting(Struct, frozen=True):
    """When this device first saw this head of its chain."""

    head: bytes
    since_ms: int


def enqueue_due(unit: UnitOfWork) -> tuple[list[int], bool]:
    """Enqueue due operations; their row numbers, and whether nothing is due or waits."""
    verified.settle(unit)
    chain = local_chain.own(unit)
    device = chain.device(unit.me.device) if chain is not None else None
    if chain is None or device is None or not device.personal:
        return [], False
    mine = _mine(unit, chain)
    wanted = [*_own_group(unit, chain, mine), *_conversations(unit, chain, mine)]
    waiting = _waiting(unit)
    arrivals.note(unit)
    wanted += add_later.due(unit)
    numbers = _enqueue(unit, wanted)
    renewed = keys.renewal_due(unit.records, chain, unit.me.device, clock_ms(unit))
    numbers += _renewal(unit, chain, waiting, mine)
    return numbers, mine and not (wanted or renewed or numbers)


def _waiting(unit: UnitOfWork) -> list[Operation]:
    return [table.operation_of(row) for row in unit.records.outbox.all()]


def _enqueue(unit: UnitOfWork, wanted: Iterable[Operation]) -> list[int]:
    """Enqueue what no operation in the outbox covers; the row numbers."""
    waiting = _waiting(unit)
    return [due.enqueue(unit) for due in wanted if not _covered(waiting, due)]


def remaining(unit: UnitOfWork) -> list[str]:
    """The remaining steps, in words; empty when everything follows the chain."""
    chain = local_chain.own(unit)
    if chain is None or chain.device(unit.me.device) is None:
        return []
    found = ["the ledger has yet to show the change"] if local_chain.unpublished(unit) else []
    kinds = {type(table.operation_of(row)) for row in unit.records.outbox.all()}
    groups = self_group.all_active(unit)
    alone = not local_chain.others(unit, chain)
    apart = (not groups and not alone) or any(_untidy(unit, group) for group in groups)
    if apart or kinds & {create_self_group.CreateSelfGroup, share_state.ShareState}:
        found.append("your devices have yet to connect")
    due = keys.renewal_due(unit.records, chain, unit.me.device, clock_ms(unit))
    if due and chain.pending is None:
        found.append("your mail key has yet to be replaced")
    if KeepMembers in kinds or _conversations(unit, chain, True):
        found.append("your conversations have yet to be updated")
    return found


def _covered(waiting: Iterable[Operation], due: Operation) -> bool:
    return any(operation.covers(due) for operation in waiting)


def _mine(unit: UnitOfWork, chain: VerifiedChain) -> bool:
    """Whether this device acts now: it signed the last statement, or no other device has acted."""
    signers = {signer for signer, _ in decode(chain.statements[-1]).signatures}
    if unit.me.device in signers or not local_chain.others(unit, chain):
        return True
    data = unit.records.settings.get(_SEEN)
    seen = msgspec.msgpack.decode(data, type=_HeadSighting) if data else None
    if seen is None or seen.head != chain.head:
        seen = _HeadSighting(chain.head, unit.now_ms)
        unit.records.settings.put(_SEEN, msgspec.msgpack.encode(seen))
    return unit.now_ms - seen.since_ms >= limits.UPKEEP_OTHERS_SECONDS * 1000


def _own_group(unit: UnitOfWork, chain: VerifiedChain, mine: bool) -> list[Operation]:
    """Rules 1 and 3, and sharing state with the user's other devices."""
    wanted: list[Operation] = []
    groups, published = self_group.all_active(unit), unit.chains.of(unit.me.address)
    others = local_chain.others(unit, published) if published is not None else []
    if not self_group.counted(unit) and mine and others:
        wanted.append(create_self_group.CreateSelfGroup())
    wanted += [
        KeepMembers(SELF, "", group.record.id) for group in groups if mine and _untidy(unit, group)
    ]
    if self_group.share_due(unit):
        wanted.append(share_state.ShareState(unit.random(16)))
    return wanted


def _untidy(unit: UnitOfWork, conversation: Conversation) -> bool:
    group = conversation.group
    return bool(
        conversations.gone_devices(unit, group) or conversations.missing_devices(unit, group)
    )


def _conversations(unit: UnitOfWork, chain: VerifiedChain, mine: bool) -> list[Operation]:
    """Rule 4, only for devices in the self-group: others may have no key packages yet.

    It opens all groups, so it runs once for each state of the chain.
    """
    if not mine:
        return []
    ready = {
        member.device
        for group in self_group.all_active(unit)
        for member in identities(group.group.members)
    }
    records = [record for record in unit.records.conversations.all() if record.kind != SELF]
    records = [record for record in records if record.standing == State.FOLLOWING]
    published = unit.chains.of(unit.me.address)
    shown = b"" if published is None else published.head
    state = [chain.head, shown, *sorted(ready), *sorted(record.id for record in records)]
    looked_at = hashlib.sha256(b"".join(state)).digest()
    if unit.records.settings.get(_LOOKED_AT) == looked_at:
        return []
    wanted: list[Operation] = []
    for record in records:
        group = unit.open(record.id).group
        missing = set(conversations.missing_devices(unit, group)) & ready
        own = {one.device for one in identities(group.members) if one.address == unit.me.address}
        if missing or own.intersection(conversations.gone_devices(unit, group)):
            wanted.append(KeepMembers(record.kind, record.name, record.id))
    if not wanted:
        unit.records.settings.put(_LOOKED_AT, looked_at)
    return wanted


def _renewal(
    unit: UnitOfWork, chain: VerifiedChain, waiting: Iterable[Operation], mine: bool
) -> list[int]:
    """Rule 2, one step per call. A pending reset blocks every change of the chain."""
    if not mine or chain.pending is not None:
        return []
    if not keys.renewal_due(unit.records, chain, unit.me.device, clock_ms(unit)):
        return []
    if change_chain.mail_key_waits(unit):
        return []
    if any(isinstance(operation, ChangeChain) for operation in waiting):
        return []
    made = _next_key(unit, chain)
    if made is None:
        made = keys.fresh(unit.records, unit.me.address, clock_ms(unit))
        unit.records.settings.put(_NEXT, made.fingerprint.encode())
    groups = self_group.all_active(unit)
    if any(conversations.gone_devices(unit, group.group) for group in groups):
        return []
    if self_group.share_due(unit):
        share = share_state.ShareState(unit.random(16))
        return [] if _covered(waiting, share) else [share.enqueue(unit)]
    return [change_chain.enqueue_mail_key(unit, made)]


def _next_key(unit: UnitOfWork, chain: VerifiedChain) -> MailKeyRecord | None:
    """The key generated for this renewal, unless the chain names it or a fast clock dated it."""
    chosen = (unit.records.settings.get(_NEXT) or b"").decode()
    if not chosen or (chain.openpgp is not None and chain.openpgp.fingerprint == chosen):
        return None
    found = (key for key in unit.records.mail_keys.all() if key.fingerprint == chosen)
    made = next(found, None)
    return None if made is not None and keys.is_ahead(made, clock_ms(unit)) else made
