"""Pairing on the new device: authenticate, sign, and store the user's state."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from blackthorn.device.account import state_transfer
from blackthorn.device.account.pairing import Frames, Random, Side, Stage, why_ended
from blackthorn.device.core import keys, statement_codec, unit_of_work
from blackthorn.device.transparency import local_chain
from blackthorn.errors import SecurityError, UserError
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.statements import AddDevice, countersign, decode
from blackthorn.ids import Address, Fingerprint
from blackthorn.link import frames as f
from blackthorn.link.activation.code import Code as PairingCode
from blackthorn.link.codes import Code
from blackthorn.link.pairing import channel, exchange, messages
from blackthorn.ports.device_store import DeviceStore


class NewPairing(Side):
    """The new device's side. `keep` creates or opens its store once the other side is known.

    `handover` and `address` are valid only in the stage `DONE`.
    """

    def __init__(
        self,
        signing: SigningKeys,
        name: str,
        keep: Callable[[Address], DeviceStore],
        random: Random,
    ) -> None:
        super().__init__(Stage.PROVING)
        self.handover: messages.Handover | None = None
        self.store: DeviceStore | None = None
        self._signing = signing
        self._info = keys.info_of(signing, name)
        self._keep = keep
        self._random = random
        self._step: exchange.AwaitPaired | exchange.AwaitGreeting | None = None

    def join(self, code: PairingCode, fingerprint: Fingerprint) -> Frames:
        """Join the device that opened `code`; `fingerprint` is that of the server's key."""
        frame, self._step = exchange.join(code, fingerprint, self._random)
        return [frame]

    @property
    def address(self) -> Address:
        return self.partner.address

    def receive(self, frame: f.AnyFrame, now_ms: int) -> Frames:
        """Process a pairing frame; state is durable before the answer is returned."""
        if self.over:
            return []
        try:
            match frame:
                case f.Paired() if isinstance(self._step, exchange.AwaitPaired):
                    proof, self._step = self._step.paired(
                        frame, statement_codec.encode_device(self._info), self._random
                    )
                    return [proof]
                case f.Relay():
                    return self._relayed(frame, now_ms)
                case f.PairingEnded(code):
                    self.failure = why_ended(code)
        except channel.WrongCodeError as error:
            return self.fail(error, Code.PAIRING_WRONG)
        except (SecurityError, UserError) as error:
            return self.fail(error, Code.PAIRING_ALTERED)
        return []

    def _relayed(self, relay: f.Relay, now_ms: int) -> Frames:
        if isinstance(self._step, exchange.AwaitGreeting):
            reveal, compared = self._step.open(relay)
            self._step = None
            self.meet(compared)
            self.store = self._keep(compared.address)
            self.stage = Stage.COMPARING
            return [reveal]
        if self.compared is None:
            return self.out_of_place()
        return self._heard(self.compared.channel.open(relay), now_ms)

    def confirm(self) -> Frames:
        """The user confirms that the other device accepted the digits."""
        if self.stage is not Stage.COMPARING:
            return []
        self.stage = Stage.SIGNING
        return self.say(messages.Confirmed())

    def _heard(self, message: messages.PairingMessage, now_ms: int) -> Frames:
        match message:
            case messages.Draft(statement) if self.stage is Stage.SIGNING:
                return self._sign(statement)
            case messages.Handover() if self.stage is Stage.SIGNING:
                with self._unit(now_ms) as current:
                    state_transfer.take_first_view(current, message)
                self.handover, self.stage = message, Stage.TAKING
                return self.say(messages.TransferAck())
            case messages.Batch() if self.stage is Stage.TAKING:
                self.total = max(self.total, message.left + len(message.items))
                self.remaining = message.left
                with self._unit(now_ms) as current:
                    state_transfer.take(current, message)
                return self.say(messages.TransferAck())
            case messages.Finished() if self.stage is Stage.TAKING:
                return self._finish(now_ms)
        return self.out_of_place()

    def _sign(self, statement: bytes) -> Frames:
        """Countersign only a statement that adds this device to the announced chain."""
        signed = decode(statement)
        fits = signed.statement.label == self.address
        if not fits or signed.statement.body != AddDevice(self._info):
            return self.out_of_place()
        countersigned = countersign(signed, self._info.id, self._signing)
        return self.say(messages.Countersigned(countersigned.encode()))

    def _finish(self, now_ms: int) -> Frames:
        """Check that the transferred chain contains this device, then end the pairing."""
        with self._unit(now_ms) as current:
            live = local_chain.live(current)
        if live != self._info:
            error = channel.AlteredError("the other device's chain does not have this device")
            return self.fail(error, Code.PAIRING_ALTERED)
        self.stage = Stage.DONE
        return [f.PairingEnded("")]

    def _unit(self, now_ms: int) -> AbstractContextManager[unit_of_work.UnitOfWork]:
        if self.store is None:
            raise channel.AlteredError("the other device is not known yet")
        own = keys.of(self._signing, self.address)
        return unit_of_work.unit(self.store, own, now_ms, self._random)
