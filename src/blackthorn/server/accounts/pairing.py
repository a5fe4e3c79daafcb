"""Pairing: the server connects a live device with a new one and relays their sealed messages.

1. Only a live device opens a pairing, one at a time, named by a number.
2. One device joins; a later one, or one with an unknown number, is refused.
3. Messages are relayed unchanged while both sides are connected, for at most PAIRING_SECONDS,
   within bounds of number and size, and only as fast as they are read.
4. When one side leaves or ends the pairing, the other is told and a joined device disconnected. The
   live device may open the same number again.

What never happens here: reading or storing messages, or counting tries of a code, which the live
device does (`link.pairing.exchange.Offer`).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from blackthorn.errors import AbsentError
from blackthorn.link import limits as link_limits
from blackthorn.ports.enterprise import DeviceRecord, Standing
from blackthorn.server.accounts import limits as accounts_limits

TAKEN = "another device uses this number: make another code"
FULL = "too many devices are being linked on this server: try again in a minute"
NOT_LIVE = "this device may not add another one before its own reset is effective"


class End(StrEnum):
    """Why the server ends a pairing."""

    LEFT = "left"
    LATE = "late"
    TOO_MUCH = "too much"


class Party(Protocol):
    """One side of a pairing, at an edge. Hashable, equal for one connection.

    `device` is None for one that joins; `slow`: it does not read its messages.
    """

    @property
    def device(self) -> DeviceRecord | None: ...
    @property
    def slow(self) -> bool: ...

    def paired(self, message: bytes) -> None:
        """The other side's first message."""

    def relay(self, data: bytes) -> None: ...

    def ended(self, reason: End | str) -> None:
        """The pairing is over: the server's reason, or the other side's text."""

    def disconnect(self) -> None:
        """Close after the messages sent so far."""


@dataclass(slots=True)
class _Pairing:
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
        return len(self._by_nameplate)

    def open(self, party: Party, nameplate: str, message: bytes, now: float) -> str:
        """A device on line waits for another; returns "" or the refusal."""
        self._expire(now)
        for other in [known for known in self._by_party if known.device is not None]:
            if other == party or other.device == party.device:  # rule 1, over any of its links
                self.end(other, End.LEFT, tell_self=other != party)
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

    def join(self, party: Party, nameplate: str, message: bytes, now: float) -> None:
        """Rule 2: join the waiting device. Raises AbsentError."""
        self._expire(now)
        pairing = self._by_nameplate.get(nameplate)
        if pairing is None or pairing.joined is not None or party in self._by_party:
            raise AbsentError("no device waits under this number")
        pairing.joined = party
        self._by_party[party] = pairing
        party.paired(pairing.message)
        pairing.live.paired(message)

    def relay(self, party: Party, data: bytes, now: float) -> None:
        """Rule 3. A message after the end is dropped."""
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
        """Forget the pairing first, since telling a party may end its connection."""
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
