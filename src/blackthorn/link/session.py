"""The link as a state machine: which role may send which frame when. Pure; both roles share it.

Theory. Both sides keep the same state; the table below has, for each state and role, the frames
that the role may send and the next state. A side steps when it sends and when it receives. An
opening is strictly in turns, so that the two states agree. From READY on both sides send at once,
and their states can differ while frames cross; the table is closed under that: a frame allowed
before a crossing one arrives is allowed after it. `Superseded` may cross with acknowledgements, and
with a second `Resume`, whose delivery, and end, may therefore follow it.

A frame that the table forbids is the peer's error and ends the link (`LinkError`); sending one is
ours (`ProtocolError`). In both cases the state stays. `now` is in seconds that never go backwards.
"""

from enum import Enum
from typing import Final

from blackthorn.errors import DecodeError, ProtocolError
from blackthorn.link import frames as f
from blackthorn.link import limits
from blackthorn.link.codes import Code, LinkError


class Role(Enum):
    """Our end of the link."""

    DEVICE = "device"
    SERVER = "server"


class State(Enum):
    """A state of the link; the value explains it."""

    OPENING = "connected; the device speaks first"
    GREETING = "the server checks the device's hello"
    CHALLENGING = "the server looks up the activation code"
    PROVING = "the device proves the activation code"
    ENROLLING = "the server checks the proof and enrols the device"
    ENROLLED = "the device is enrolled, and connects anew to say hello"
    PAIRING = "the server relays between a new device and a live one of its user"
    RECOGNISING = "the server checks the signature by a recovery key"
    RECOVERING = "the holder of the recovery key adds a device"
    READY = "the device is known; it sends and asks"
    RECEIVING = "the server delivers to it as well"
    SUPERSEDED = "another connection of the device receives instead"
    CLOSED = "nothing more may be said"


Moves = dict[type[f.Frame], State]


def _staying(state: State, *kinds: type[f.Frame]) -> Moves:
    return dict.fromkeys(kinds, state)


_ASKING = (
    f.Fanout,
    f.Send,
    f.AskOrders,
    f.PublishKeyPackages,
    f.ClaimKeyPackages,
    f.ListMail,
    f.FetchMail,
    f.SubmitMail,
    f.SubmitMailPiece,
    f.DeleteMail,
    f.FindCertificates,
    f.AskAppPasswords,
    f.LookUp,
    f.FetchChain,
    f.SubmitStatement,
    f.ProveConsistency,
    f.FetchEntries,
    f.FetchEpochs,
    f.TellCheckpoint,
    f.FetchTrust,
    f.FetchDecisions,
    f.SubmitDecision,
    f.FetchProduction,
    f.TellExit,
    f.FetchReceipt,
    f.FetchExit,
    f.OpenPairing,
    f.Relay,
    f.PairingEnded,
    f.Ping,
    f.Pong,
)
_SETTLING = (f.Acknowledge, f.SetAside)
_ANSWERING = (
    f.Accepted,
    f.Refused,
    f.FanoutUnknown,
    f.SlowDown,
    f.Orders,
    f.KeyPackageStock,
    f.KeyPackages,
    f.MailListing,
    f.MailChunk,
    f.SubmissionState,
    f.MailSubmitted,
    f.MailDeleted,
    f.CertificatesFound,
    f.AppPasswordList,
    f.LookedUp,
    f.ChainPart,
    f.StatementStored,
    f.Consistency,
    f.Entries,
    f.EpochPushed,
    f.Trust,
    f.Decisions,
    f.DecisionTaken,
    f.ProductionPart,
    f.MarketNotice,
    f.ExitTold,
    f.ReceiptPart,
    f.ExitFacts,
    f.PairingOpened,
    f.Paired,
    f.Relay,
    f.PairingEnded,
    f.Ping,
    f.Pong,
)
_DELIVERING = (f.Deliver, f.Drained, f.MailArrived, f.LeafChanged)

DEVICE, SERVER = Role.DEVICE, Role.SERVER
S = State

TABLE: Final[dict[tuple[State, Role], Moves]] = {
    (S.OPENING, DEVICE): {
        f.Hello: S.GREETING,
        f.ActivateBegin: S.CHALLENGING,
        f.JoinPairing: S.PAIRING,
        f.Recover: S.RECOGNISING,
    },
    (S.GREETING, SERVER): {f.Ready: S.READY},
    (S.CHALLENGING, SERVER): {f.ActivateChallenge: S.PROVING},
    (S.PROVING, DEVICE): {f.ActivateProve: S.ENROLLING},
    (S.ENROLLING, SERVER): {f.Activated: S.ENROLLED},
    (S.PAIRING, DEVICE): _staying(S.PAIRING, f.Relay, f.PairingEnded),
    (S.PAIRING, SERVER): _staying(S.PAIRING, f.Paired, f.Relay, f.PairingEnded),
    (S.RECOGNISING, SERVER): {f.Recognised: S.RECOVERING},
    (S.RECOVERING, DEVICE): _staying(S.RECOVERING, f.SubmitStatement),
    (S.RECOVERING, SERVER): _staying(S.RECOVERING, f.StatementStored),
    (S.READY, DEVICE): {f.Resume: S.RECEIVING, **_staying(S.READY, *_ASKING)},
    (S.READY, SERVER): _staying(S.READY, *_ANSWERING),
    (S.RECEIVING, DEVICE): _staying(S.RECEIVING, f.Resume, *_ASKING, *_SETTLING),
    (S.RECEIVING, SERVER): {
        f.Superseded: S.SUPERSEDED,
        **_staying(S.RECEIVING, *_ANSWERING, *_DELIVERING),
    },
    (S.SUPERSEDED, DEVICE): {f.Resume: S.RECEIVING, **_staying(S.SUPERSEDED, *_ASKING, *_SETTLING)},
    (S.SUPERSEDED, SERVER): {
        **_staying(S.SUPERSEDED, f.Superseded, *_ANSWERING),
        **_staying(S.RECEIVING, *_DELIVERING),
    },
}
"""(state, sender) → frame → next state. Either may send Bye in every state but CLOSED."""

for _state in State:
    for _role in Role:
        TABLE.setdefault((_state, _role), {})
        if _state is not State.CLOSED:
            TABLE[_state, _role][f.Bye] = State.CLOSED

OPENED: Final = frozenset({S.READY, S.RECEIVING, S.SUPERSEDED})
"""The states in which the device is known."""


class Link:
    __slots__ = ("_heard", "_in", "_out", "role", "state")

    def __init__(self, role: Role, now: float) -> None:
        self.role = role
        self._heard = now
        self._enter(State.OPENING)

    def _enter(self, state: State) -> None:
        self.state = state
        self._out = TABLE[state, self.role]
        self._in = TABLE[state, DEVICE if self.role is SERVER else SERVER]

    def receive(self, data: bytes | memoryview, now: float) -> f.AnyFrame:
        """The frame of the peer's WebSocket message. Raises LinkError if it is not allowed now."""
        try:
            frame = f.decode(data)
        except DecodeError as error:
            large = len(data) > limits.MAX_FRAME_BYTES
            raise LinkError(Code.TOO_LARGE if large else Code.MALFORMED, str(error)) from None
        state = self._in.get(type(frame))
        if state is None:
            text = f"{type(frame).__name__} is not allowed while {self.state.name}"
            raise LinkError(Code.NOT_NOW, text)
        self._heard = now
        if state is not self.state:
            self._enter(state)
        return frame

    def send(self, frame: f.AnyFrame) -> bytes:
        """One WebSocket message. Raises ProtocolError if the frame is not allowed now."""
        state = self._out.get(type(frame))
        if state is None:
            raise ProtocolError(f"{type(frame).__name__} may not be sent while {self.state.name}")
        data = f.encode(frame)
        if state is not self.state:
            self._enter(state)
        return data

    def close(self) -> None:
        """The connection has ended."""
        self._enter(State.CLOSED)

    @property
    def opened(self) -> bool:
        return self.state in OPENED

    def check(self, now: float) -> None:
        """Raises LinkError when the peer was silent for too long.

        Before the device is known each step has LINK_HELLO_SECONDS, then any frame
        LINK_IDLE_SECONDS.
        """
        silence = now - self._heard
        if self.state is State.PAIRING:
            if silence > limits.PAIRING_SECONDS:
                raise LinkError(Code.IDLE, f"silent for {limits.PAIRING_SECONDS} seconds")
        elif self.state in OPENED:
            if silence > limits.LINK_IDLE_SECONDS:
                raise LinkError(Code.IDLE, f"silent for {limits.LINK_IDLE_SECONDS} seconds")
        elif silence > limits.LINK_HELLO_SECONDS:
            text = f"the link was not opened within {limits.LINK_HELLO_SECONDS} seconds"
            raise LinkError(Code.TOO_SLOW, text)

    def ping_due(self, now: float) -> bool:
        """Whether nothing was received for a third of the idle time."""
        return self.opened and now - self._heard > limits.LINK_IDLE_SECONDS / 3
