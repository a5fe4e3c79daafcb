"""Former devices: revoked, rotated or reset, as their users' accepted chains show them.

When a chain shows one, the server is asked for all parcels of this device. What was delivered until
then is shown with a mark; a text of that device that comes later is refused, with an alarm for a
revoked one, and the keys for its late messages are deleted.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from blackthorn.device.core import kept_epochs, moments
from blackthorn.device.core.members import Identity, identify, identities
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.transparency.alarms import raise_alarm
from blackthorn.errors import SecurityError
from blackthorn.identity import statements
from blackthorn.identity.state import FormerDevice
from blackthorn.mls.epoch.epoch import Member
from blackthorn.ports.device_groups import RemovedLeaf

NEW: Final = 0
"""Cut of a former device of which the server was not asked for all parcels yet."""

ASKED: Final = -1
"""Cut of one whose last parcels are on their way."""


class LateTextError(SecurityError):
    """A text of a former device came after everything that it may have sent was delivered."""

    def __init__(self, sender: Identity) -> None:
        super().__init__("a text came from a device that its user no longer has")
        self.sender = sender


def entry(unit: UnitOfWork, identity: Identity) -> FormerDevice | None:
    """The entry of a device that its user's known chain no longer lists as live."""
    chain = unit.chains.of(identity.address)
    entries = () if chain is None else chain.former
    return next((entry for entry in entries if entry.device.id == identity.device), None)


def mark_of_other(unit: UnitOfWork, identity: Identity) -> str:
    """What a reader must know of a device that is not live; empty for a rotated one."""
    gone = entry(unit, identity)
    if gone is None:
        return f"not {identity.address}'s device"
    if gone.reason == "rotated":
        return ""
    return f"from a device revoked on {_day(unit, identity, gone)}"


def words(unit: UnitOfWork, identity: Identity) -> str:
    """A device that is not live: "a device of ADDRESS revoked on DATE"."""
    gone = entry(unit, identity)
    if gone is None:
        return f"a device that is not {identity.address}'s"
    if gone.reason == "rotated":
        return f"a device of {identity.address} that has new keys"
    return f"a device of {identity.address} revoked on {_day(unit, identity, gone)}"


def _day(unit: UnitOfWork, identity: Identity, gone: FormerDevice) -> str:
    """The day in the statement that ended a device: shown only, nothing is decided by it."""
    chain = unit.chains.of(identity.address)
    assert chain is not None
    stated_ms = statements.decode(chain.statements[gone.seq - 1]).statement.time_ms
    return datetime.fromtimestamp(stated_ms / 1000, UTC).strftime("%Y-%m-%d")


def check_in_time(unit: UnitOfWork, sender: Identity, delivered: int) -> None:
    """Refuse what a former device sent too late; `delivered` is the moment of its delivery.

    Raises LateTextError.
    """
    if entry(unit, sender) is None:
        return
    cut = unit.records.noted.cut(sender.device)
    if cut is None:  # the chain was accepted by an older version of this program
        unit.records.noted.add_former([sender.device])
    elif 0 < cut <= delivered:
        raise LateTextError(sender)


def alarm(unit: UnitOfWork, sender: Identity) -> None:
    """Raise the alarm for a late text of a revoked device."""
    gone = entry(unit, sender)
    if gone is not None and gone.reason != "rotated":
        text = f"a text came from {words(unit, sender)}: it was refused"
        raise_alarm(
            unit.records,
            "revoked-device-active",
            sender.address,
            text,
            unit.now_ms,
            fact=sender.device.hex(),
        )


# --- The last parcels of a former device --------------------------------------------------------


def to_ask(unit: UnitOfWork) -> bool:
    """Whether the server is to be asked for all parcels; it is taken as asked from now on."""
    return unit.records.noted.move_cuts(NEW, ASKED)


def all_delivered(unit: UnitOfWork) -> None:
    """The server has delivered everything since it was asked."""
    if unit.records.noted.move_cuts(ASKED, moments.present(unit.records) + 1):
        moments.advance(unit.records)
    delete_keys(unit)


# --- Keys for late messages ---------------------------------------------------------------------


def removed(unit: UnitOfWork, conversation: Conversation, gone: Iterable[Member]) -> None:
    """A merged Commit has removed these; delete the keys of former ones, now or later."""
    epoch = conversation.group.epoch
    for member in gone:
        one = identify(member.credential)
        leaf = RemovedLeaf(conversation.record.id, one.device, one.address, member.index, epoch)
        unit.records.noted.add_removed_leaf(leaf)
    delete_keys(unit)


def delete_keys(unit: UnitOfWork) -> None:
    """Delete the keys for late messages of removed devices, unless they were added again.

    Of former ones as soon as no parcel waits that may be theirs and was delivered in time; of all
    others, which a person has removed, some days after the removal, however few changes follow it.
    """
    leaves = unit.records.noted.removed_leaves()
    waiting = [parcel.moment for parcel in unit.records.parcels.all_undecryptable()]
    old_ms = kept_epochs.keys_from_ms(unit.records, unit.now_ms)
    for leaf in leaves:
        cut = unit.records.noted.cut(leaf.device) or 0
        epochs = unit.records.groups.epochs_with_keys(leaf.conversation)
        before = [one for one in epochs if one.epoch < leaf.epoch]
        if not before:
            unit.records.noted.forget_removed_leaf(leaf)
            continue
        is_old = max(one.ended_ms for one in before) < old_ms
        if not is_old and not 0 < cut <= min(waiting, default=cut):
            continue
        conversation = unit.open(leaf.conversation)
        present = {one.device for one in identities(conversation.group.members)}
        if leaf.device not in present:
            conversation.forget_leaf(unit.records, leaf.leaf, leaf.epoch)
        unit.records.noted.forget_removed_leaf(leaf)
