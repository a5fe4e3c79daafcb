"""Pairing as two devices of a user do it: frames in, frames out, people asked in between.

The exchange itself is `link.pairing.exchange`; what is handed over, `handover`. Here stands who
waits for whom, what is signed when, and what becomes of an interruption. Both sides are told of the
end by `failure`: None as long as all is well.

    live   opening ► waiting ► proving ► comparing ► confirming ► signing ► storing ► handing ►
           ending ► done
    new    proving ► comparing ► signing ► taking ► done

On the new device all that counts is durable before it is said or answered; on the live one the
statement with both signatures is in the outbox before it is submitted.
"""

import hmac
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import Enum
from typing import Final

from blackthorn.device.account import state_transfer
from blackthorn.device.core import keys
from blackthorn.device.core.statement_codec import decode_device, encode_device
from blackthorn.device.core.unit_of_work import UnitOfWork, unit
from blackthorn.device.engine import Device
from blackthorn.device.operations import change_chain
from blackthorn.device.transparency import local_chain
from blackthorn.errors import BlackthornError, SecurityError, UserError, VerificationError
from blackthorn.identity.chain import next_statement
from blackthorn.identity.fingerprint import short_code
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.statements import (
    AddDevice,
    DeviceInfo,
    countersign,
    decode,
    make,
)
from blackthorn.ids import Address, Fingerprint
from blackthorn.link import frames as f
from blackthorn.link.activation.code import Code as PairingCode
from blackthorn.link.codes import Code
from blackthorn.link.pairing import exchange
from blackthorn.link.pairing.exchange import (
    AlteredError,
    Batch,
    BurntError,
    Compared,
    Confirmed,
    Countersigned,
    Draft,
    Finished,
    Handover,
    Offer,
    Said,
    Took,
    WrongCodeError,
)
from blackthorn.ports.device_store import DeviceStore

Frames = list[f.AnyFrame]
Random = Callable[[int], bytes]

TYPINGS: Final = 3
"""How often a person may mistype the six digits before the pairing ends."""

MAX_OPENINGS: Final = 20
"""How often a code is opened again after somebody has joined and left."""

DIFFERS: Final = "the six digits are not the same: somebody may stand between the two devices"


class Stage(Enum):
    """Where a side stands; the value says for what it waits."""

    OPENING = "the server"
    WAITING = "the new device"
    PROVING = "the other device"
    COMPARING = "somebody who compares the six digits"
    CONFIRMING = "somebody who confirms them on the new device"
    SIGNING = "the signature of the other device"
    STORING = "the server, which stores the statement"
    HANDING = "the new device, which takes what it is given"
    ENDING = "the new device's word that it has all"
    TAKING = "what the other device hands over"
    DONE = "nothing"


class _Side:
    """What both sides share."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.failure: BlackthornError | None = None
        self.digits = ""
        """What is to be compared, once it is known."""
        self.left = 0
        """How many things are still to be handed over, and `total` of how many."""
        self.total = 0
        self._compared: Compared | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.stage is Stage.DONE or self.failure is not None

    @property
    def _met(self) -> Compared:
        if self._compared is None:
            raise AlteredError("the other device has not proved itself")
        return self._compared

    def _meet(self, compared: Compared) -> None:
        self._compared, self.digits = compared, short_code(compared.digest)

    def _fail(self, error: BlackthornError, code: str = Code.PAIRING_FAILED) -> Frames:
        """The pairing is over: tell the other side in a word."""
        self.failure = error
        return [f.PairingEnded(code)]

    def _say(self, said: Said) -> Frames:
        return [self._met.channel.seal(said)]

    def _out_of_place(self) -> Frames:
        error = AlteredError("the other device said what it should not say now")
        return self._fail(error, Code.PAIRING_ALTERED)


def why_ended(code: str) -> BlackthornError:
    """The error of a pairing that the other side, or the server, has ended."""
    known = {str(each): each for each in Code}.get(code)
    text = known.meaning if known is not None else "The other device ended the pairing."
    severe = code in (Code.PAIRING_ALTERED, Code.PAIRING_DIFFERS)
    return SecurityError(text) if severe else UserError(text)


# --- The live device ----------------------------------------------------------------------


class LivePairing(_Side):
    """The live device's side, over one link of `device`."""

    def __init__(
        self, device: Device, code: PairingCode, fingerprint: Fingerprint, random: Random
    ) -> None:
        super().__init__(Stage.OPENING)
        self.new: DeviceInfo | None = None
        """The device that is to be added, once it has said what it is."""
        self._device = device
        self._random = random
        self._offer = Offer(code, fingerprint, device.keys.address)
        self._step: exchange.AwaitJoin | exchange.AwaitProof | exchange.AwaitReveal | None = None
        self._openings = 0
        self._typings = 0
        self._row = 0
        self._drafted = 0
        self._batches: list[Batch] = []
        self._confirmed = False

    # --- Until both have proved the code --------------------------------------------------

    def open(self) -> Frames:
        """Wait for somebody to join."""
        self._openings += 1
        if self._openings > MAX_OPENINGS:
            return self._fail(BurntError("the code was tried too often: make another"))
        frame, self._step = self._offer.open(self._random)
        self.stage = Stage.OPENING
        return [frame]

    def receive(self, frame: f.AnyFrame, now_ms: int) -> Frames:
        """The answer to a frame of the pairing; others are nothing to it."""
        if self.over:
            return []
        try:
            match frame:
                case f.PairingOpened(refusal):
                    return self._opened(refusal)
                case f.Paired() if isinstance(self._step, exchange.AwaitJoin):
                    self.stage = Stage.PROVING
                    self._step = self._step.paired(frame)
                case f.Relay():
                    return self._relayed(frame, now_ms)
                case f.PairingEnded(code):
                    return self._ended(code)
        except WrongCodeError as error:
            return [f.PairingEnded(Code.PAIRING_WRONG), *self._tried(error)]
        except SecurityError as error:
            return self._fail(error, Code.PAIRING_ALTERED)
        return []

    def _opened(self, refusal: str) -> Frames:
        if refusal:
            self.failure = UserError(f"the server opens no pairing: {refusal}")
        elif self.stage is Stage.OPENING:
            self.stage = Stage.WAITING
        return []

    def _tried(self, error: WrongCodeError) -> Frames:
        """A wrong try: wait for another one, unless it was the last."""
        try:
            self._offer = self._offer.tried()
        except BurntError as burnt:
            self.failure = burnt
            return []
        return self.open()

    def _ended(self, code: str) -> Frames:
        """Whoever had joined is gone. Before anything was signed, the next one may come."""
        if self.stage is Stage.ENDING and not code:
            self.stage = Stage.DONE
            return []
        signed = self.stage in (Stage.STORING, Stage.HANDING, Stage.ENDING)
        if signed or code in (Code.PAIRING_LATE, Code.PAIRING_DIFFERS, Code.PAIRING_ALTERED):
            self.failure = why_ended(code)
            return []
        self._compared, self.new, self.digits, self._confirmed = None, None, "", False
        return self.open()

    def _relayed(self, relay: f.Relay, now_ms: int) -> Frames:
        match self._step:
            case exchange.AwaitProof():
                answer, self._step = self._step.open(relay, self._random)
                return [answer]
            case exchange.AwaitReveal():
                self._meet(self._step.open(relay))
                self._step = None
                self.new = decode_device(self._met.device)
                self.stage = Stage.COMPARING
                return []
            case None if self._compared is not None:
                return self._heard(self._compared.channel.open(relay), now_ms)
        return self._out_of_place()

    # --- Comparing and signing ------------------------------------------------------------

    def type_digits(self, typed: str, now_ms: int) -> Frames:
        """What the person has read from the new device. Raises UserError for a mistype."""
        if self.stage is not Stage.COMPARING:
            return []
        digits = "".join(each for each in typed if each.isdigit())
        if not hmac.compare_digest(digits, self.digits):
            self._typings += 1
            if self._typings >= TYPINGS:
                return self._fail(SecurityError(DIFFERS), Code.PAIRING_DIFFERS)
            raise UserError("those are not the digits: type what the new device shows")
        self.stage = Stage.CONFIRMING
        return []

    def refuse(self) -> Frames:
        """The person says that the digits differ."""
        return self._fail(SecurityError(DIFFERS), Code.PAIRING_DIFFERS)

    def _heard(self, said: Said, now_ms: int) -> Frames:
        match said:
            case Confirmed() if self.stage in (Stage.COMPARING, Stage.CONFIRMING):
                self._confirmed = True
                return self.advance(now_ms)
            case Countersigned(statement) if self.stage is Stage.SIGNING:
                return self._countersigned(statement, now_ms)
            case Took() if self.stage is Stage.HANDING:
                return self._hand_over()
        return self._out_of_place()

    def advance(self, now_ms: int) -> Frames:
        """What is due without a frame: call it now and then, and after typing the digits."""
        if self.over:
            return []
        if self.stage is Stage.CONFIRMING and self._confirmed:
            return self._draft(now_ms)
        if self.stage is Stage.STORING:
            return self._look(now_ms)
        return []

    def _draft(self, now_ms: int) -> Frames:
        """Ask for the new device's signature, or hand over at once if it is in the chain."""
        new = self._new_device()
        with self._device.unit(now_ms) as current:
            try:
                chain = change_chain.known_chain(current)
                known = chain.device(new.id)
                if known is not None:
                    if known != new:
                        raise UserError("that device is in your chain with other keys")
                    return self._begin_handover(current)
                draft = next_statement(chain, AddDevice(new), now_ms)
                signed = make(draft, [(current.me.device, current.keys.signing)])
            except (UserError, VerificationError) as error:
                return self._fail(error)
        self._drafted = draft.seq
        self.stage = Stage.SIGNING
        return self._say(Draft(signed.encode()))

    def _new_device(self) -> DeviceInfo:
        if self.new is None:
            raise AlteredError("the other device has not said what it is")
        return self.new

    def _countersigned(self, statement: bytes, now_ms: int) -> Frames:
        """Both have signed: into the outbox with it."""
        new = self._new_device()
        signed = decode(statement)
        signers = {signer for signer, _ in signed.signatures}
        if signed.statement.body != AddDevice(new) or signers != {
            self._device.keys.device,
            new.id,
        }:
            return self._out_of_place()
        what = f"the new device {new.name}"
        self._row = self._device.enqueue(
            now_ms, lambda current: change_chain.enqueue_signed(current, what, signed)
        )
        self.stage = Stage.STORING
        return []

    def _look(self, now_ms: int) -> Frames:
        """Whether the statement was stored; if the chain has moved on, another draft."""
        with self._device.unit(now_ms) as current:
            if current.records.outbox.get(self._row) is not None:
                return []
            chain = local_chain.own(current)
            if chain is not None and chain.device(self._new_device().id) is not None:
                return self._begin_handover(current)
            moved_on = chain is not None and chain.seq >= self._drafted
        if not moved_on:
            return self._fail(UserError("the server did not take the statement: try again"))
        return self._draft(now_ms)

    # --- Handing over ---------------------------------------------------------------------

    def _begin_handover(self, current: UnitOfWork) -> Frames:
        found = state_transfer.items(current)
        self.left = self.total = len(found)
        self._batches = state_transfer.batches(found)
        self.stage = Stage.HANDING
        return self._say(state_transfer.first_view(current))

    def _hand_over(self) -> Frames:
        """The next batch, or the end."""
        if self._batches:
            batch = self._batches.pop(0)
            self.left = batch.left
            return self._say(batch)
        self.stage = Stage.ENDING
        return self._say(Finished())


# --- The new device -----------------------------------------------------------------------


class NewPairing(_Side):
    """The new device's side. `keep` makes or opens its store once the other side is known.

    `given` and `address` are what it is from then on; nothing of it counts before `DONE`.
    """

    def __init__(
        self,
        signing: SigningKeys,
        name: str,
        keep: Callable[[Address], DeviceStore],
        random: Random,
    ) -> None:
        super().__init__(Stage.PROVING)
        self.given: Handover | None = None
        self.store: DeviceStore | None = None
        self._signing = signing
        self._info = keys.info_of(signing, name)
        self._keep = keep
        self._random = random
        self._step: exchange.AwaitPaired | exchange.AwaitGreeting | None = None

    def join(self, code: PairingCode, fingerprint: Fingerprint) -> Frames:
        """Join whoever waits under this code; `fingerprint` is that of the server's key."""
        frame, self._step = exchange.join(code, fingerprint, self._random)
        return [frame]

    @property
    def address(self) -> Address:
        """Whose device this is to be."""
        return self._met.address

    def receive(self, frame: f.AnyFrame, now_ms: int) -> Frames:
        """The answer to a frame. What it means is durable before it is answered."""
        if self.over:
            return []
        try:
            match frame:
                case f.Paired() if isinstance(self._step, exchange.AwaitPaired):
                    proof, self._step = self._step.paired(
                        frame, encode_device(self._info), self._random
                    )
                    return [proof]
                case f.Relay():
                    return self._relayed(frame, now_ms)
                case f.PairingEnded(code):
                    self.failure = why_ended(code)
        except WrongCodeError as error:
            return self._fail(error, Code.PAIRING_WRONG)
        except (SecurityError, UserError) as error:
            return self._fail(error, Code.PAIRING_ALTERED)
        return []

    def _relayed(self, relay: f.Relay, now_ms: int) -> Frames:
        if isinstance(self._step, exchange.AwaitGreeting):
            reveal, compared = self._step.open(relay)
            self._step = None
            self._meet(compared)
            self.store = self._keep(compared.address)
            self.stage = Stage.COMPARING
            return [reveal]
        if self._compared is None:
            return self._out_of_place()
        return self._heard(self._compared.channel.open(relay), now_ms)

    def confirm(self) -> Frames:
        """The person says that the other device has taken these digits."""
        if self.stage is not Stage.COMPARING:
            return []
        self.stage = Stage.SIGNING
        return self._say(Confirmed())

    def refuse(self) -> Frames:
        """The person says that it has not."""
        return self._fail(SecurityError(DIFFERS), Code.PAIRING_DIFFERS)

    def _heard(self, said: Said, now_ms: int) -> Frames:
        match said:
            case Draft(statement) if self.stage is Stage.SIGNING:
                return self._sign(statement)
            case Handover() if self.stage is Stage.SIGNING:
                return self._take(
                    lambda current: state_transfer.take_first_view(current, said), now_ms, said
                )
            case Batch() if self.stage is Stage.TAKING:
                self.total = max(self.total, said.left + len(said.items))
                self.left = said.left
                return self._take(lambda current: state_transfer.take(current, said), now_ms)
            case Finished() if self.stage is Stage.TAKING:
                return self._finish(now_ms)
        return self._out_of_place()

    def _sign(self, statement: bytes) -> Frames:
        """Only what adds this device as it has said it is, to the chain it was told of."""
        signed = decode(statement)
        fits = signed.statement.label == self.address
        if not fits or signed.statement.body != AddDevice(self._info):
            return self._out_of_place()
        countersigned = countersign(signed, self._info.id, self._signing)
        return self._say(Countersigned(countersigned.encode()))

    def _take(
        self, taking: Callable[[UnitOfWork], None], now_ms: int, given: Handover | None = None
    ) -> Frames:
        with self._unit(now_ms) as current:
            taking(current)
        if given is not None:
            self.given, self.stage = given, Stage.TAKING
        return self._say(Took())

    def _finish(self, now_ms: int) -> Frames:
        """All is there: does it show this device as its user's?"""
        with self._unit(now_ms) as current:
            live = local_chain.live(current)
        if live != self._info:
            error = AlteredError("the other device's chain does not have this device")
            return self._fail(error, Code.PAIRING_ALTERED)
        self.stage = Stage.DONE
        return [f.PairingEnded("")]

    def _unit(self, now_ms: int) -> AbstractContextManager[UnitOfWork]:
        if self.store is None:
            raise AlteredError("the other device is not known yet")
        own = keys.of(self._signing, self.address)
        return unit(self.store, own, now_ms, self._random)
