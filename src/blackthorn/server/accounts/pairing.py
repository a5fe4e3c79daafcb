"""Pairing: the server connects a live device with one that joins, and carries what they say.

It sees sealed bytes and keeps nothing of them. The rules:

1. Only a live device opens a pairing; a device has one at a time, and a number names one.
2. One device joins; a later one, or one that names an unknown number, is refused.
3. What one side says goes to the other as it came, as long as both are there, for at most
   PAIRING_SECONDS and within the bounds of number and size, and only as fast as it is read.
4. When one side leaves, or says that the pairing is over, the other is told; a device that
   joined is disconnected then. The live device may open the same number again.

What never happens here: reading what is carried, storing, or counting tries of a code, which is
the live device's (`link.pairing.exchange.Offer`).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from blackthorn.errors import AbsentError
from blackthorn.link import limits as link_limits
from blackthorn.ports.enterprise import DeviceRecord, Standing
from blackthorn.server.accounts import limits as accounts_limits

TAKEN = "another device uses this number: make another code"
FULL = "the server connects as many devices as it bears: try again in a minute"
NOT_LIVE = "this device may not add another one before its own reset is effective"


class End(StrEnum):
    """Why the server ends a pairing."""

    LEFT = "left"
    LATE = "late"
    TOO_MUCH = "too much"


class Party(Protocol):
    """One side of a pairing, as an edge knows it. Hashable, equal for one connection."""

    @property
    def device(self) -> DeviceRecord | None:
        """The device that opened the connection; None for one that joins."""

    @property
    def slow(self) -> bool:
        """Whether it does not read what it was sent."""

    def paired(self, message: bytes) -> None:
        """The other side is there, and said this first."""

    def relay(self, data: bytes) -> None:
        """The other side says this."""

    def ended(self, reason: End | str) -> None:
        """The pairing is over: by the server's reason, or by the text of the other side."""

    def disconnect(self) -> None:
        """Nothing more is said to it."""


@dataclass(slots=True)
class _Pairing:
    """One live device that waits, and the device that has joined it."""

    nameplate: str
    message: bytes
    live: Party
    ends_at: float
    joined: Party | None = None
    relayed: int = 0
    relayed_bytes: int = 0

    def other(self, party: Party) -> Party | None:
        return self.joined if party == self.live else self.live


class Pairings:
    """The open pairings. In memory only; `now` never goes backwards."""

    def __init__(self) -> None:
        self._by_nameplate: dict[str, _Pairing] = {}
        self._by_party: dict[Party, _Pairing] = {}

    def __len__(self) -> int:
        """How many pairings are open."""
        return len(self._by_nameplate)

    def open(self, party: Party, nameplate: str, message: bytes, now: float) -> str:
        """A device that is on line waits for another one; "", or why it may not."""
        self._expire(now)
        self._end_of_device(party)
        if party.device is None or party.device.standing is not Standing.LIVE:
            return NOT_LIVE
        if nameplate in self._by_nameplate:
            return TAKEN
        if len(self._by_nameplate) >= accounts_limits.MAX_PAIRINGS:
            return FULL
        pairing = _Pairing(nameplate, message, party, now + link_limits.PAIRING_SECONDS)
        self._by_nameplate[nameplate] = pairing
        self._by_party[party] = pairing
        return ""

    def _end_of_device(self, party: Party) -> None:
        """Rule 1: end what the device has open already, over any of its links."""
        for other in [known for known in self._by_party if known.device is not None]:
            if other == party or other.device == party.device:
                self.end(other, End.LEFT, tell_self=other != party)

    def join(self, party: Party, nameplate: str, message: bytes, now: float) -> None:
        """Rule 2: join the device that waits. Raises AbsentError."""
        self._expire(now)
        pairing = self._by_nameplate.get(nameplate)
        if pairing is None or pairing.joined is not None or party in self._by_party:
            raise AbsentError("no device waits under this number")
        pairing.joined = party
        self._by_party[party] = pairing
        party.paired(pairing.message)
        pairing.live.paired(message)

    def relay(self, party: Party, data: bytes, now: float) -> None:
        """Rule 3. What comes after the end has crossed with it, and goes nowhere."""
        self._expire(now)
        pairing = self._by_party.get(party)
        other = None if pairing is None else pairing.other(party)
        if pairing is None or other is None:
            return
        pairing.relayed += 1
        pairing.relayed_bytes += len(data)
        if (
            pairing.relayed > accounts_limits.MAX_PAIRING_RELAYED
            or pairing.relayed_bytes > accounts_limits.MAX_PAIRING_RELAYED_BYTES
            or other.slow
        ):
            self.end(party, End.TOO_MUCH, tell_self=True)
            return
        other.relay(data)

    def _expire(self, now: float) -> None:
        for pairing in [known for known in self._by_nameplate.values() if known.ends_at <= now]:
            self.end(pairing.live, End.LATE, tell_self=True)

    def end(self, party: Party, reason: End | str, *, tell_self: bool = False) -> None:
        """Forget the pairing before anybody is told: telling may end a connection."""
        pairing = self._by_party.pop(party, None)
        if pairing is None:
            return
        other = pairing.other(party)
        del self._by_nameplate[pairing.nameplate]
        if other is not None:
            del self._by_party[other]
            other.ended(reason)
        if tell_self:
            party.ended(reason)
        if pairing.joined is not None:
            pairing.joined.disconnect()
