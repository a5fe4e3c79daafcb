"""What a person is told when a chain has grown: devices that came and went, resets, his own too.

A reset is loud: a notice while it waits, and when it is effective a stop for whoever compared
the person, a standing notice for others. Between honest people nothing here is an alarm.
"""

import hashlib
from datetime import UTC, datetime

from blackthorn.device import anchors
from blackthorn.device.alarms import raise_alarm
from blackthorn.device.facts import DIRECT
from blackthorn.device.turn import Turn
from blackthorn.identity.chain import VerifiedChain
from blackthorn.ports.device_store import ChainRecord, HistoryRecord


def tell_news(
    turn: Turn, before: VerifiedChain | None, chain: VerifiedChain, record: ChainRecord
) -> None:
    """Tell of what is new in a chain; `before` is it as it was known, None for somebody new."""
    _tell_resets(turn, before, chain, record)
    if before is None:
        return
    known = {each.id for each in before.devices}
    come = [each for each in chain.devices if each.id not in known]
    live = {each.id for each in chain.devices}
    gone = [each for each in before.devices if each.id not in live]
    mine = chain.label == turn.me.address
    for device in come:
        how = " with the recovery key" if device.id in chain.recovered else ""
        role = "" if device.role == "personal" else f" as a {device.role} device, which all see,"
        _tell(turn, chain, f"{chain.label} has added the device {device.name!r}{role}{how}")
        if mine and device.id != turn.me.device:
            text = f"your device {device.name!r} was added{how}"
            raise_alarm(turn.records, "own-device", chain.label, text, turn.now_ms)
    for device in gone:
        _tell(turn, chain, f"{chain.label} has revoked the device {device.name!r}")
        if mine:
            text = f"your device {device.name!r} was revoked"
            raise_alarm(turn.records, "own-device", chain.label, text, turn.now_ms)


def _tell_resets(
    turn: Turn, before: VerifiedChain | None, chain: VerifiedChain, record: ChainRecord
) -> None:
    known = {each.seq: each.effective for each in before.resets} if before is not None else {}
    mine = chain.label == turn.me.address
    for each in chain.resets:
        if each.cancelled_seq is not None or known.get(each.seq) == each.effective:
            continue
        if before is None and each.effective:
            continue
        day = _day(each.logged_ms)
        if not each.effective:
            text = f"{chain.label} asked for a new identity on {day}; old devices are still valid"
            code = "own-reset" if mine else "reset-pending"
        else:
            domain = anchors.pinned(turn.records.settings).config.domain
            text = (
                f"{chain.label}'s identity was reset on {day} by {domain}'s enrolment key. None of "
                "the earlier devices confirmed it"
            )
            code = "verified-reset" if record.verified_ms else "identity-reset"
        _tell(turn, chain, text)
        raise_alarm(turn.records, code, chain.label, text, turn.now_ms)


def _day(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d")


def _tell(turn: Turn, chain: VerifiedChain, text: str) -> None:
    """A line in the conversation with the person, if there is one."""
    if chain.label == turn.me.address:
        return
    talking = turn.records.conversations.named(DIRECT, chain.label)
    if not talking:
        return
    place = chain.head + text.encode()
    message = b"\x02" + hashlib.sha256(place).digest()[:31]
    if turn.records.history.known(message):
        return
    turn.records.history.add(
        HistoryRecord(
            message=message,
            conversation=talking[-1].id,
            kind=DIRECT,
            name=chain.label,
            sender=chain.label,
            sort="event",
            text=text,
            sent_ms=turn.now_ms,
            received_ms=turn.now_ms,
            standing="received",
        )
    )
