"""Pairing of two devices of one user: frames in, frames out, with questions to the user in between.

Both sides report the end by `failure`, None on success. State is durable before it is sent or
acknowledged; the live device stores the fully signed statement before submitting it.

    live   opening ► waiting ► proving ► comparing ► confirming ► signing ► storing ► handing ►
           ending ► done
    new    proving ► comparing ► signing ► taking ► done
"""

from collections.abc import Callable
from enum import Enum
from typing import Final

from blackthorn.errors import BlackthornError, SecurityError, UserError
from blackthorn.identity.fingerprint import short_code
from blackthorn.link import frames as f
from blackthorn.link.codes import MEANINGS, Code
from blackthorn.link.pairing import channel, exchange, messages

Frames = list[f.AnyFrame]
Random = Callable[[int], bytes]

DIFFERS: Final = "the six digits are not the same: somebody may stand between the two devices"


class Stage(Enum):
    """The state of one side; the value names what it waits for."""

    OPENING = "the server"
    WAITING = "the new device"
    PROVING = "the other device"
    COMPARING = "comparison of the six digits"
    CONFIRMING = "confirmation on the new device"
    SIGNING = "the signature of the other device"
    STORING = "the server to store the statement"
    HANDING = "the new device to store a batch"
    ENDING = "the new device's final confirmation"
    TAKING = "the other device's state"
    DONE = "nothing"


class Side:
    """State and messages common to both sides."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.failure: BlackthornError | None = None
        self.digits = ""
        """The digits to compare, once known."""
        self.remaining = 0
        """Items still to be transferred, of `total`."""
        self.total = 0
        self.compared: exchange.Comparison | None = None

    @property
    def over(self) -> bool:
        """Whether the pairing has ended, successfully or not."""
        return self.stage is Stage.DONE or self.failure is not None

    @property
    def partner(self) -> exchange.Comparison:
        """The authenticated other device. Raises AlteredError before it has proved the code."""
        if self.compared is None:
            raise channel.AlteredError("the other device has not proved itself")
        return self.compared

    def meet(self, compared: exchange.Comparison) -> None:
        """Record the authenticated other device."""
        self.compared, self.digits = compared, short_code(compared.digest)

    def fail(self, error: BlackthornError, code: str = Code.PAIRING_FAILED) -> Frames:
        """End the pairing with `error` and send `code` to the other side."""
        self.failure = error
        return [f.PairingEnded(code)]

    def refuse(self) -> Frames:
        """End the pairing because the digits differ or the other device has not accepted them."""
        return self.fail(SecurityError(DIFFERS), Code.PAIRING_DIFFERS)

    def say(self, message: messages.PairingMessage) -> Frames:
        """Seal a message for the other device."""
        return [self.partner.channel.seal(message)]

    def out_of_place(self) -> Frames:
        """End the pairing: the other device sent a message out of order."""
        error = channel.AlteredError("the other device sent a message out of order")
        return self.fail(error, Code.PAIRING_ALTERED)


def why_ended(code: str) -> BlackthornError:
    """The error for a pairing that the other side or the server ended with `code`."""
    text = MEANINGS.get(code, "The other device ended the pairing.")
    severe = code in (Code.PAIRING_ALTERED, Code.PAIRING_DIFFERS)
    return SecurityError(text) if severe else UserError(text)
