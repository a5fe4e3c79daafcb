"""Events and alarms for a changed chain: devices added or revoked, identity resets.

A pending reset is a notice. An effective one stops sending to a verified person, and to groups with
any person. Changes by the user's own other devices raise a notice.
"""

from datetime import UTC, datetime
from typing import Final

from blackthorn.device.core import anchors, history, members
from blackthorn.device.core.group_metadata import DIRECT, GROUP
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.healing.states import is_member
from blackthorn.device.transparency.alarms import end, raise_alarm
from blackthorn.identity.chain import ResetRecord, VerifiedChain
from blackthorn.identity.statements import AddDevice, Reset, RevokeDevice, decode
from blackthorn.ports.device_store import ChainRecord, ConversationRecord

_ASKED: Final = {"own-reset", "reset-pending"}
"""Alarms of a reset that was asked for; they end when it is cancelled or takes effect."""


def tell_news(
    unit: UnitOfWork, before: VerifiedChain | None, chain: VerifiedChain, record: ChainRecord
) -> None:
    """Add events and alarms for a chain's changes; `before` is None for a new person."""
    _tell_resets(unit, before, chain, record)
    if before is None:
        return
    if chain.label == unit.me.address:
        _tell_own(unit, before, chain)
        return
    known, live = ({device.id for device in one.devices} for one in (before, chain))
    reset = before.last_reset != chain.last_reset
    for device in chain.devices:
        if device.id not in known and not reset:
            how = " with the recovery key" if device.id in chain.recovered else ""
            role = "" if device.personal else f" as a {device.role} device, which all see,"
            _tell(unit, chain, f"{chain.label} has added the device {device.name!r}{role}{how}")
    for device in before.devices:
        if device.id not in live and not reset:
            _tell(unit, chain, f"{chain.label} has revoked the device {device.name!r}")


def _tell_own(unit: UnitOfWork, before: VerifiedChain, chain: VerifiedChain) -> None:
    """Alarms for statements by the user's other devices."""
    for data in chain.statements[before.seq :]:
        signed = decode(data)
        body, signers = signed.statement.body, {signer for signer, _ in signed.signatures}
        if unit.me.device in signers:
            continue
        match body:
            case AddDevice(device, recovered):
                how = " with the recovery key" if recovered else ""
                text = f"your device {device.name!r} was added{how}"
            case RevokeDevice(gone, reason):
                found = next((device for device in before.devices if device.id == gone), None)
                name = found.name if found is not None else gone.hex()
                text = f"your device {name!r} was revoked ({reason})"
            case _:
                continue
        fact = str(signed.statement.seq)
        raise_alarm(unit.records, "own-device", chain.label, text, unit.now_ms, fact=fact)


def _tell_resets(
    unit: UnitOfWork, before: VerifiedChain | None, chain: VerifiedChain, record: ChainRecord
) -> None:
    known = {reset.seq: reset for reset in before.resets} if before is not None else {}
    for reset in chain.resets:
        earlier = known.get(reset.seq)
        if reset.cancelled_seq is not None or reset.effective:
            end(unit.records, _ASKED, chain.label, _fact(reset.seq, effective=False), unit.now_ms)
        if earlier == reset or (before is None and reset.effective):
            continue
        if reset.cancelled_seq is not None:
            if earlier is not None:
                text = f"a device of {chain.label} has cancelled the request for a new identity"
                _tell(unit, chain, text)
        elif not _asked_here(unit, chain, reset):
            code, text = _reset(unit, chain, reset, record)
            _tell(unit, chain, text, groups=True)
            fact = _fact(reset.seq, effective=reset.effective)
            raise_alarm(unit.records, code, chain.label, text, unit.now_ms, fact=fact)


def _fact(seq: int, *, effective: bool) -> str:
    """What a reset's alarm is about: that it was asked for, or that it has taken effect."""
    return f"{seq} {effective}"


def _asked_here(unit: UnitOfWork, chain: VerifiedChain, reset: ResetRecord) -> bool:
    """Whether this device asked for the reset."""
    body = decode(chain.statements[reset.seq - 1]).statement.body
    return isinstance(body, Reset) and body.device.id == unit.me.device


def _reset(
    unit: UnitOfWork, chain: VerifiedChain, reset: ResetRecord, record: ChainRecord
) -> tuple[str, str]:
    day, mine = _day(reset.logged_ms), chain.label == unit.me.address
    if not reset.effective:
        text = f"{chain.label} asked for a new identity on {day}; old devices are still valid"
        return "own-reset" if mine else "reset-pending", text
    domain = anchors.pinned(unit.records.settings).config.domain
    text = (
        f"{chain.label}'s identity was reset on {day} by {domain}'s enrolment key. None of the "
        "earlier devices confirmed it"
    )
    if mine:
        return "own-reset", text
    return "verified-reset" if record.verified_ms else "identity-reset", text


def _day(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d")


def _tell(unit: UnitOfWork, chain: VerifiedChain, text: str, *, groups: bool = False) -> None:
    """Add an event to the direct conversation, and to common groups if `groups`."""
    if chain.label == unit.me.address:
        return
    conversations = unit.records.conversations
    places = conversations.named(DIRECT, chain.label)[-1:]
    if groups:
        active = (place for place in conversations.all() if is_member(place.standing))
        places += [
            place for place in active if place.kind == GROUP and _in(unit, place, chain.label)
        ]
    for place in places:
        history.add_event(unit, place, chain.head, chain.label, text)


def _in(unit: UnitOfWork, group: ConversationRecord, address: str) -> bool:
    return address in members.addresses(unit.open(group.id).group.members)
