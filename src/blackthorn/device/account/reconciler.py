"""What follows from the user's own chain, derived anew each time, so that it may stop anywhere.

1. A device that is revoked comes out of the self-group before anything else is said in it.
2. Then a new OpenPGP key is made, if a former device knows the present one; the others are told
   its secret; only then does the chain name it, so that no mail is sealed to a key that one
   device alone has (docs/adr/0013-a-new-mail-key-after-a-revocation.md).
3. The self-group is made when there is a second device, and each new device comes into it.
4. A device that is in the self-group comes into every conversation; one that is revoked comes
   out of every conversation.

The device whose statement the chain ends with sees to it at once, the others only if it is not
done after a while. Each step is a wish in the outbox, or found to be due again.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.account import chain_changes, limits, local_chain
from blackthorn.device.conversations import conversations, self_group
from blackthorn.device.conversations.group_metadata import SELF
from blackthorn.device.conversations.members import identities
from blackthorn.device.core.unit_of_work import Conversation, Turn, generation
from blackthorn.device.mail import keys
from blackthorn.device.operations.outgoing import (
    ChangeChain,
    CreateSelf,
    Intent,
    KeepMembers,
    ShareSelf,
    decode_intent,
    encode,
)
from blackthorn.device.transparency import verified
from blackthorn.identity.chain import VerifiedChain
from blackthorn.identity.statements import decode
from blackthorn.ids import DeviceId
from blackthorn.ports.device_store import MailKeyRecord

FIRST_WAIT_MS: Final = 2_000
"""After a change it is looked again so soon, then after twice the time, up to UPKEEP_SECONDS."""

_SEEN: Final = "upkeep-since"
_NEXT: Final = "mail-key-next"
_LOOKED_AT: Final = "upkeep-done"


class Schedule:
    """When to look: whenever keys or the chain have changed, then ever more rarely."""

    def __init__(self) -> None:
        self._generation = -1
        self.poke()

    def poke(self) -> None:
        """Something has changed."""
        self._due_ms = 0
        self._wait_ms = FIRST_WAIT_MS

    def look(self, turn: Turn) -> set[bytes]:
        """Wish for what is due, if it is time to look; the targets of the new wishes."""
        now = generation(turn.records)
        if turn.now_ms < self._due_ms and now == self._generation:
            return set()
        self._due_ms = turn.now_ms + self._wait_ms
        self._wait_ms = min(2 * self._wait_ms, limits.UPKEEP_SECONDS * 1000)
        self._generation = now
        rows = (turn.records.outbox.get(number) for number in wishes(turn))
        return {row.target for row in rows if row is not None}


class _Seen(Struct, frozen=True):
    """Since when this device knows that its chain has this head."""

    head: bytes
    since_ms: int


def wishes(turn: Turn, *, eager: bool = False) -> list[int]:
    """Wish for what is due; the numbers of the new rows. `eager`: do not leave it to others."""
    verified.settle(turn)
    chain = local_chain.own(turn)
    device = chain.device(turn.me.device) if chain is not None else None
    if chain is None or device is None or not device.personal:
        return []
    waiting = [decode_intent(row.intent) for row in turn.records.outbox.all()]
    mine = eager or _mine(turn, chain)
    wanted = [*_own_group(turn, chain, mine), *_conversations(turn, chain, mine)]
    numbers = [_add(turn, each) for each in wanted if not _asked(waiting, each)]
    return numbers + _renewal(turn, chain, waiting, mine)


def left(turn: Turn) -> list[str]:
    """What is still to be done until all follows the own chain, in words."""
    chain = local_chain.own(turn)
    if chain is None or chain.device(turn.me.device) is None:
        return []
    found = ["the ledger has to show it"] if local_chain.unpublished(turn) else []
    kinds = {type(decode_intent(row.intent)) for row in turn.records.outbox.all()}
    groups = self_group.all_active(turn)
    alone = not local_chain.others(turn, chain)
    apart = (not groups and not alone) or any(_untidy(turn, each) for each in groups)
    if apart or kinds & {CreateSelf, ShareSelf}:
        found.append("your devices have to meet")
    if keys.renewal_due(turn.records, chain, turn.me.device) and chain.pending is None:
        found.append("your mail has to get its new key")
    if KeepMembers in kinds or _conversations(turn, chain, True):
        found.append("your conversations have to follow")
    return found


def _add(turn: Turn, intent: Intent) -> int:
    return turn.records.outbox.add(intent.target, encode(intent), turn.now_ms)


def _asked(waiting: Iterable[Intent], wanted: Intent) -> bool:
    """Whether the outbox has this already."""
    for each in waiting:
        if isinstance(each, KeepMembers) and isinstance(wanted, KeepMembers):
            if each.conversation == wanted.conversation:
                return True
        elif type(each) is type(wanted):
            return True
    return False


def _mine(turn: Turn, chain: VerifiedChain) -> bool:
    """Whether this device is to see to it now: it has changed the chain, or nobody else does."""
    signers = {signer for signer, _ in decode(chain.statements[-1]).signatures}
    if turn.me.device in signers or not local_chain.others(turn, chain):
        return True
    data = turn.records.settings.get(_SEEN)
    seen = msgspec.msgpack.decode(data, type=_Seen) if data else None
    if seen is None or seen.head != chain.head:
        seen = _Seen(chain.head, turn.now_ms)
        turn.records.settings.put(_SEEN, msgspec.msgpack.encode(seen))
    return turn.now_ms - seen.since_ms >= limits.UPKEEP_OTHERS_SECONDS * 1000


# --- The self-group -----------------------------------------------------------------------


def _own_group(turn: Turn, chain: VerifiedChain, mine: bool) -> list[Intent]:
    """Rules 1 and 3, and what the other devices must be told."""
    wanted: list[Intent] = []
    groups = self_group.all_active(turn)
    if not groups and mine and _published_others(turn):
        wanted.append(CreateSelf())
    wanted += [
        KeepMembers(SELF, "", each.record.id) for each in groups if mine and _untidy(turn, each)
    ]
    if self_group.share_due(turn):
        wanted.append(ShareSelf(turn.random(16)))
    return wanted


def _published_others(turn: Turn) -> list[DeviceId]:
    published = turn.chains.of(turn.me.address)
    return local_chain.others(turn, published) if published is not None else []


def _untidy(turn: Turn, conversation: Conversation) -> bool:
    group = conversation.group
    return bool(
        conversations.gone_devices(turn, group) or conversations.missing_devices(turn, group)
    )


# --- Conversations ------------------------------------------------------------------------


def _conversations(turn: Turn, chain: VerifiedChain, mine: bool) -> list[Intent]:
    """Rule 4. Whoever is in the self-group has key packages; for another one it is too early.

    All groups are opened for it, so it is done once for each state of the chain.
    """
    if not mine:
        return []
    ready = {
        each.device
        for group in self_group.all_active(turn)
        for each in identities(group.group.members)
    }
    records = [each for each in turn.records.conversations.all() if each.kind != SELF]
    records = [each for each in records if each.standing == conversations.ACTIVE]
    published = turn.chains.of(turn.me.address)
    shown = b"" if published is None else published.head
    state = [chain.head, shown, *sorted(ready), *sorted(each.id for each in records)]
    looked_at = hashlib.sha256(b"".join(state)).digest()
    if turn.records.settings.get(_LOOKED_AT) == looked_at:
        return []
    wanted: list[Intent] = []
    for record in records:
        group = turn.open(record.id).group
        missing = set(conversations.missing_devices(turn, group)) & ready
        if missing or _own_gone(turn, record.id):
            wanted.append(KeepMembers(record.kind, record.name, record.id))
    if not wanted:
        turn.records.settings.put(_LOOKED_AT, looked_at)
    return wanted


def _own_gone(turn: Turn, conversation: bytes) -> bool:
    group = turn.open(conversation).group
    gone = conversations.gone_devices(turn, group)
    own = {each.device for each in identities(group.members) if each.address == turn.me.address}
    return bool(own & set(gone))


# --- The mail key -------------------------------------------------------------------------


def _renewal(turn: Turn, chain: VerifiedChain, waiting: Iterable[Intent], mine: bool) -> list[int]:
    """Rule 2, one step at a time. While a reset waits the chain takes nothing."""
    if (
        not mine
        or chain.pending is not None
        or not keys.renewal_due(turn.records, chain, turn.me.device)
    ):
        return []
    if any(isinstance(each, ChangeChain) for each in waiting):
        return []
    made = _next_key(turn, chain)
    if made is None:
        made = keys.fresh(turn.records, turn.me.address, turn.now_ms)
        turn.records.settings.put(_NEXT, made.fingerprint.encode())
    groups = self_group.all_active(turn)
    if any(conversations.gone_devices(turn, each.group) for each in groups):
        return []
    if self_group.share_due(turn):
        share = ShareSelf(turn.random(16))
        return [] if _asked(waiting, share) else [_add(turn, share)]
    return [chain_changes.state_mail_key(turn, made)]


def _next_key(turn: Turn, chain: VerifiedChain) -> MailKeyRecord | None:
    """The key that was made for this, unless the chain has named it since."""
    chosen = (turn.records.settings.get(_NEXT) or b"").decode()
    if not chosen or (chain.openpgp is not None and chain.openpgp.fingerprint == chosen):
        return None
    found = (each for each in turn.records.mail_keys.all() if each.fingerprint == chosen)
    return next(found, None)
