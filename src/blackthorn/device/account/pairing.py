"""Pairing as two devices of a user do it: frames in, frames out, people asked in between.

The exchange itself is `link.pairing.exchange`; what is transferred, `state_transfer`. Here stands
what both sides share; each side's order of steps is in `pairing_live` and `pairing_new`. Both sides
learn of the end by `failure`: None as long as all is well.

    live   opening ► waiting ► proving ► comparing ► confirming ► signing ► storing ► handing ►
           ending ► done
    new    proving ► comparing ► signing ► taking ► done

On the new device everything is durable before it is said or answered; on the live one the
statement with both signatures is in the outbox before it is submitted.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final

from blackthorn.errors import BlackthornError, SecurityError, UserError
from blackthorn.identity.fingerprint import short_code
from blackthorn.link import frames as f
from blackthorn.link.codes import Code
from blackthorn.link.pairing import channel, exchange, messages

Frames = list[f.AnyFrame]
Random = Callable[[int], bytes]

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


class Side:
    """What both sides share."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.failure: BlackthornError | None = None
        self.digits = ""
        """What is to be compared, once it is known."""
        self.remaining = 0
        """How many items are still to be transferred, of `total`."""
        self.total = 0
        self.compared: exchange.Comparison | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.stage is Stage.DONE or self.failure is not None

    @property
    def partner(self) -> exchange.Comparison:
        """The other device, proved by the code. Raises AlteredError before that."""
        if self.compared is None:
            raise channel.AlteredError("the other device has not proved itself")
        return self.compared

    def meet(self, compared: exchange.Comparison) -> None:
        """The other device has proved itself."""
        self.compared, self.digits = compared, short_code(compared.digest)

    def fail(self, error: BlackthornError, code: str = Code.PAIRING_FAILED) -> Frames:
        """The pairing is over: tell the other side in a word."""
        self.failure = error
        return [f.PairingEnded(code)]

    def refuse(self) -> Frames:
        """The person says that the digits differ, or that the other device has not taken them."""
        return self.fail(SecurityError(DIFFERS), Code.PAIRING_DIFFERS)

    def say(self, message: messages.PairingMessage) -> Frames:
        """Seal a message for the other device."""
        return [self.partner.channel.seal(message)]

    def out_of_place(self) -> Frames:
        """The other device broke the order of steps: the pairing is over."""
        error = channel.AlteredError("the other device said what it should not say now")
        return self.fail(error, Code.PAIRING_ALTERED)


def why_ended(code: str) -> BlackthornError:
    """The error of a pairing that the other side, or the server, has ended."""
    known = {str(known_code): known_code for known_code in Code}.get(code)
    text = known.meaning if known is not None else "The other device ended the pairing."
    severe = code in (Code.PAIRING_ALTERED, Code.PAIRING_DIFFERS)
    return SecurityError(text) if severe else UserError(text)
