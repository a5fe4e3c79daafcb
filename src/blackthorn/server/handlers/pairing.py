"""Link handler: sessions as the parties of `server.accounts.pairing`."""

from dataclasses import dataclass
from typing import Final

from blackthorn.errors import AbsentError, ProtocolError, UnavailableError
from blackthorn.link import frames as f
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.pairing.channel import PAIRING_VERSION
from blackthorn.ports.enterprise import DeviceRecord
from blackthorn.server.accounts.pairing import End, Pairings
from blackthorn.server.accounts.tries import ClientTries
from blackthorn.server.handlers.session import Session

PairingFrame = f.OpenPairing | f.JoinPairing | f.Relay | f.PairingEnded

_CODES: Final[dict[End, Code]] = {
    End.LEFT: Code.PAIRING_LEFT,
    End.LATE: Code.PAIRING_LATE,
    End.TOO_MUCH: Code.PAIRING_TOO_MUCH,
}


@dataclass(frozen=True, slots=True)
class _LinkParty:
    """A session as a `server.accounts.pairing.Party`."""

    session: Session

    @property
    def device(self) -> DeviceRecord | None:
        return self.session.device

    @property
    def slow(self) -> bool:
        return self.session.paused_since is not None

    def paired(self, message: bytes) -> None:
        self.session.transmit(f.Paired(message))

    def relay(self, data: bytes) -> None:
        self.session.transmit(f.Relay(data))

    def ended(self, reason: End | str) -> None:
        code = _CODES[reason] if isinstance(reason, End) else reason
        self.session.transmit(f.PairingEnded(code))

    def disconnect(self) -> None:
        self.session.close(Code.GOING)


class PairingHandler:
    """Handles OpenPairing, JoinPairing, Relay, PairingEnded; `link.session` keeps the order."""

    def __init__(self, pairings: Pairings | None = None) -> None:
        self._pairings = pairings if pairings is not None else Pairings()
        self._tries = ClientTries()

    def __len__(self) -> int:
        return len(self._pairings)

    def handle(self, session: Session, frame: PairingFrame, now: float) -> None:
        party = _LinkParty(session)
        match frame:
            case f.OpenPairing(nameplate, message):
                if session.device is None:
                    raise ProtocolError("a hello must come before a pairing is opened")
                refusal = self._pairings.open(party, nameplate, message, now)
                session.transmit(f.PairingOpened(refusal))
            case f.JoinPairing():
                self._join(party, frame, now)
            case f.Relay(data):
                self._pairings.relay(party, data, now)
            case f.PairingEnded(code):
                self._pairings.end(party, code)

    def _join(self, party: _LinkParty, frame: f.JoinPairing, now: float) -> None:
        if frame.version != PAIRING_VERSION:
            text = f"this server speaks pairing version {PAIRING_VERSION}, not {frame.version}"
            raise LinkError(Code.VERSION, text)
        try:
            self._tries.count(party.session.client, now)
            self._pairings.join(party, frame.nameplate, frame.message, now)
        except UnavailableError as error:
            raise LinkError(Code.BUSY, str(error)) from None
        except AbsentError:
            raise LinkError(Code.PAIRING_REFUSED, Code.PAIRING_REFUSED.meaning) from None

    def leave(self, session: Session) -> None:
        self._pairings.end(_LinkParty(session), End.LEFT)
