"""Pairing: the server connects a live device with one that joins, and carries what they say.

It sees sealed bytes and keeps nothing of them. The rules:

1. Only a live device opens a pairing; a device has one at a time, and a number names one.
2. One device joins; who comes later, or names a number under which nobody waits, is refused.
3. What one side says goes to the other as it came, as long as both are there, for at most
   PAIRING_SECONDS and within the bounds of number and size, and only as fast as it is read.
4. When one side leaves, or says that the pairing is over, the other is told; a device that
   joined is disconnected then. The live device may open the same number again.

What never happens here: reading what is carried, storing, or counting tries of a code, which is
the live device's (`link.pairing.exchange.Offer`).
"""

from dataclasses import dataclass

from blackthorn.errors import ProtocolError
from blackthorn.link import limits as link_limits
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.frames import (
    JoinPairing,
    OpenPairing,
    Paired,
    PairingEnded,
    PairingOpened,
    Relay,
)
from blackthorn.link.pairing.exchange import PAIRING_VERSION
from blackthorn.ports.enterprise import Standing
from blackthorn.server.accounts import limits as accounts_limits
from blackthorn.server.messaging.session import Session

PairingFrame = OpenPairing | JoinPairing | Relay | PairingEnded

TAKEN = "another device uses this number: make another code"
FULL = "the server connects as many devices as it bears: try again in a minute"
NOT_LIVE = "this device may not add another one before its own reset is effective"


@dataclass(slots=True)
class _Pairing:
    """One live device that waits, and who has joined it."""

    nameplate: str
    message: bytes
    live: Session
    ends_at: float
    joined: Session | None = None
    relayed: int = 0
    relayed_bytes: int = 0

    def other(self, session: Session) -> Session | None:
        return self.joined if session is self.live else self.live


class PairingHandler:
    """Handles the frames of pairing. In memory only; `now` never goes backwards."""

    def __init__(self) -> None:
        self._by_nameplate: dict[str, _Pairing] = {}
        self._by_session: dict[Session, _Pairing] = {}

    def __len__(self) -> int:
        """How many pairings are open."""
        return len(self._by_nameplate)

    def handle(self, session: Session, frame: PairingFrame, now: float) -> None:
        """Serve one frame; `link.session` keeps the order."""
        match frame:
            case OpenPairing():
                self._open(session, frame, now)
            case JoinPairing():
                self._join(session, frame, now)
            case Relay():
                self._relay(session, frame, now)
            case PairingEnded(code):
                self._end(session, code)

    def leave(self, session: Session) -> None:
        """The session has ended."""
        self._end(session, Code.PAIRING_LEFT)

    def _open(self, session: Session, frame: OpenPairing, now: float) -> None:
        self._expire(now)
        device = session.device
        if device is None:
            raise ProtocolError("nobody has said who he is")
        self._end_of_device(session)
        refusal = ""
        if device.standing is not Standing.LIVE:
            refusal = NOT_LIVE
        elif frame.nameplate in self._by_nameplate:
            refusal = TAKEN
        elif len(self._by_nameplate) >= accounts_limits.MAX_PAIRINGS:
            refusal = FULL
        if not refusal:
            ends_at = now + link_limits.PAIRING_SECONDS
            pairing = _Pairing(frame.nameplate, frame.message, session, ends_at)
            self._by_nameplate[frame.nameplate] = pairing
            self._by_session[session] = pairing
        session.transmit(PairingOpened(refusal))

    def _end_of_device(self, session: Session) -> None:
        """Rule 1: what the device has open already, over whichever link, is over."""
        for other in [each for each in self._by_session if each.device is not None]:
            if other is session or other.device == session.device:
                self._end(other, Code.PAIRING_LEFT, tell_self=other is not session)

    def _join(self, session: Session, frame: JoinPairing, now: float) -> None:
        self._expire(now)
        if frame.version != PAIRING_VERSION:
            text = f"this server speaks pairing version {PAIRING_VERSION}, not {frame.version}"
            raise LinkError(Code.VERSION, text)
        pairing = self._by_nameplate.get(frame.nameplate)
        if pairing is None or pairing.joined is not None or session in self._by_session:
            raise LinkError(Code.PAIRING_REFUSED, Code.PAIRING_REFUSED.meaning)
        pairing.joined = session
        self._by_session[session] = pairing
        session.transmit(Paired(pairing.message))
        pairing.live.transmit(Paired(frame.message))

    def _relay(self, session: Session, frame: Relay, now: float) -> None:
        """Rule 3. What comes after the end has crossed with it, and goes nowhere."""
        self._expire(now)
        pairing = self._by_session.get(session)
        other = None if pairing is None else pairing.other(session)
        if pairing is None or other is None:
            return
        pairing.relayed += 1
        pairing.relayed_bytes += len(frame.data)
        if (
            pairing.relayed > accounts_limits.MAX_PAIRING_RELAYED
            or pairing.relayed_bytes > accounts_limits.MAX_PAIRING_RELAYED_BYTES
            or other.paused_since is not None
        ):
            self._end(session, Code.PAIRING_TOO_MUCH, tell_self=True)
            return
        other.transmit(frame)

    def _expire(self, now: float) -> None:
        for pairing in [each for each in self._by_nameplate.values() if each.ends_at <= now]:
            self._end(pairing.live, Code.PAIRING_LATE, tell_self=True)

    def _end(self, session: Session, code: str, *, tell_self: bool = False) -> None:
        """Forget the pairing of the session before anybody is told: telling may end a session."""
        pairing = self._by_session.pop(session, None)
        if pairing is None:
            return
        other = pairing.other(session)
        del self._by_nameplate[pairing.nameplate]
        if other is not None:
            del self._by_session[other]
            other.transmit(PairingEnded(code))
        if tell_self:
            session.transmit(PairingEnded(code))
        if pairing.joined is not None:
            pairing.joined.close(Code.GOING)
