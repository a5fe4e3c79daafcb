"""Pairing on the live device: add the new device to the chain and transfer the user's state."""

import hmac
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Protocol

from blackthorn.device.account import state_transfer
from blackthorn.device.account.pairing import Frames, Random, Side, Stage, why_ended
from blackthorn.device.core import statement_codec, unit_of_work
from blackthorn.device.core.keys import DeviceKeys
from blackthorn.device.operations import change_chain
from blackthorn.device.transparency import local_chain
from blackthorn.device.transparency.ledger_state import clock_ms
from blackthorn.errors import SecurityError, UserError, VerificationError
from blackthorn.identity.chain import next_statement
from blackthorn.identity.statements import AddDevice, DeviceInfo, decode, make
from blackthorn.ids import Fingerprint
from blackthorn.link import frames as f
from blackthorn.link.activation.code import Code as PairingCode
from blackthorn.link.codes import Code
from blackthorn.link.pairing import channel, exchange, messages
from blackthorn.link.pairing.exchange import BurntError, Offer

TYPINGS: Final = 3
"""Attempts to type the six digits before the pairing ends."""

MAX_OPENINGS: Final = 20
"""Times that a code is reopened after a device joined and left."""


class EnrolledDevice(Protocol):
    """The part of `device.engine.Device` that a pairing uses."""

    @property
    def keys(self) -> DeviceKeys: ...
    def unit(self, now_ms: int) -> AbstractContextManager[unit_of_work.UnitOfWork]: ...
    def enqueue(self, now_ms: int, make: Callable[[unit_of_work.UnitOfWork], int]) -> int: ...


class LivePairing(Side):
    """The live device's side of a pairing over one link."""

    def __init__(
        self, device: EnrolledDevice, code: PairingCode, fingerprint: Fingerprint, random: Random
    ) -> None:
        super().__init__(Stage.OPENING)
        self.new: DeviceInfo | None = None
        """The device to add, once it has described itself."""
        self._device = device
        self._random = random
        self._offer = Offer(code, fingerprint, device.keys.address)
        self._step: exchange.AwaitJoin | exchange.AwaitProof | exchange.AwaitReveal | None = None
        self._openings = 0
        self._typings = 0
        self._row = 0
        self._drafted = 0
        self._batches: list[messages.Batch] = []
        self._confirmed = False

    def open(self) -> Frames:
        """Open the rendezvous and wait for a device to join."""
        self._openings += 1
        if self._openings > MAX_OPENINGS:
            return self.fail(
                BurntError("too many attempts with this code: run blackthorn device add again")
            )
        frame, self._step = self._offer.open(self._random)
        self.stage = Stage.OPENING
        return [frame]

    def receive(self, frame: f.AnyFrame, now_ms: int) -> Frames:
        """Process a pairing frame; the frames to send. Other frames are ignored."""
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
        except channel.WrongCodeError as error:
            return [f.PairingEnded(Code.PAIRING_WRONG), *self._tried(error)]
        except SecurityError as error:
            return self.fail(error, Code.PAIRING_ALTERED)
        return []

    def _opened(self, refusal: str) -> Frames:
        if refusal:
            self.failure = UserError(f"the server refused the pairing: {refusal}")
        elif self.stage is Stage.OPENING:
            self.stage = Stage.WAITING
        return []

    def _tried(self, error: channel.WrongCodeError) -> Frames:
        """Wait for another try, unless this was the last one."""
        try:
            self._offer = self._offer.tried()
        except BurntError as burnt:
            self.failure = burnt
            return []
        return self.open()

    def _ended(self, code: str) -> Frames:
        """The other side left: reopen the code unless something was signed already."""
        if self.stage is Stage.ENDING and not code:
            self.stage = Stage.DONE
            return []
        signed = self.stage in (Stage.STORING, Stage.HANDING, Stage.ENDING)
        if signed or code in (Code.PAIRING_LATE, Code.PAIRING_DIFFERS, Code.PAIRING_ALTERED):
            self.failure = why_ended(code)
            return []
        self.compared, self.new, self.digits, self._confirmed = None, None, "", False
        return self.open()

    def _relayed(self, relay: f.Relay, now_ms: int) -> Frames:
        match self._step:
            case exchange.AwaitProof():
                answer, self._step = self._step.open(relay, self._random)
                return [answer]
            case exchange.AwaitReveal():
                self.meet(self._step.open(relay))
                self._step = None
                self.new = statement_codec.decode_device(self.partner.device)
                self.stage = Stage.COMPARING
                return []
            case None if self.compared is not None:
                return self._heard(self.compared.channel.open(relay), now_ms)
        return self.out_of_place()

    def type_digits(self, typed: str, now_ms: int) -> Frames:
        """Check the digits that the user typed. Raises UserError on a typing mistake."""
        if self.stage is not Stage.COMPARING:
            return []
        digits = "".join(character for character in typed if character.isdigit())
        if not hmac.compare_digest(digits, self.digits):
            self._typings += 1
            if self._typings >= TYPINGS:
                return self.refuse()
            raise UserError("the digits differ: type the six digits that the new device shows")
        self.stage = Stage.CONFIRMING
        return []

    def _heard(self, message: messages.PairingMessage, now_ms: int) -> Frames:
        match message:
            case messages.Confirmed() if self.stage in (Stage.COMPARING, Stage.CONFIRMING):
                self._confirmed = True
                return self.advance(now_ms)
            case messages.Countersigned(statement) if self.stage is Stage.SIGNING:
                return self._countersigned(statement, now_ms)
            case messages.TransferAck() if self.stage is Stage.HANDING:
                return self._hand_over()
        return self.out_of_place()

    def advance(self, now_ms: int) -> Frames:
        """Send whatever is due; call it regularly and after `type_digits`."""
        if self.over:
            return []
        if self.stage is Stage.CONFIRMING and self._confirmed:
            return self._draft(now_ms)
        if self.stage is Stage.STORING:
            return self._look(now_ms)
        return []

    def _draft(self, now_ms: int) -> Frames:
        """Ask for the new device's signature, or start the transfer if the chain has the device."""
        new = self._new_device()
        with self._device.unit(now_ms) as current:
            try:
                chain = change_chain.known_chain(current)
                known = chain.device(new.id)
                if known is not None:
                    if known != new:
                        raise UserError(
                            "your chain has that device with other keys: use another --home"
                        )
                    return self._begin_handover(current)
                draft = next_statement(chain, AddDevice(new), clock_ms(current))
                signed = make(draft, [(current.me.device, current.keys.signing)])
            except (UserError, VerificationError) as error:
                return self.fail(error)
        self._drafted = draft.seq
        self.stage = Stage.SIGNING
        return self.say(messages.Draft(signed.encode()))

    def _new_device(self) -> DeviceInfo:
        if self.new is None:
            raise channel.AlteredError("the other device has not described itself")
        return self.new

    def _countersigned(self, statement: bytes, now_ms: int) -> Frames:
        new = self._new_device()
        signed = decode(statement)
        signers = {signer for signer, _ in signed.signatures}
        if signed.statement.body != AddDevice(new) or signers != {self._device.keys.device, new.id}:
            return self.out_of_place()
        what = f"the new device {new.name}"
        self._row = self._device.enqueue(
            now_ms, lambda current: change_chain.enqueue_signed(current, what, signed)
        )
        self.stage = Stage.STORING
        return []

    def _look(self, now_ms: int) -> Frames:
        """Start the transfer once the statement is stored; draft again if the chain grew."""
        with self._device.unit(now_ms) as current:
            if current.records.outbox.get(self._row) is not None:
                return []
            chain = local_chain.own(current)
            if chain is not None and chain.device(self._new_device().id) is not None:
                return self._begin_handover(current)
            moved_on = chain is not None and chain.seq >= self._drafted
        if not moved_on:
            return self.fail(UserError("the server refused the statement: try again"))
        return self._draft(now_ms)

    def _begin_handover(self, current: unit_of_work.UnitOfWork) -> Frames:
        found = state_transfer.items(current)
        self.remaining = self.total = len(found)
        self._batches = state_transfer.batches(found)
        self.stage = Stage.HANDING
        return self.say(state_transfer.first_view(current))

    def _hand_over(self) -> Frames:
        if self._batches:
            batch = self._batches.pop(0)
            self.remaining = batch.left
            return self.say(batch)
        self.stage = Stage.ENDING
        return self.say(messages.Finished())
