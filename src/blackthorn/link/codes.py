"""Codes of a link's end and of refusals, with their meanings.

The code is for programs, the text beside it on the wire for people. A code is never reused.
"""

from enum import StrEnum
from typing import Final

from blackthorn.errors import ProtocolError


class Code(StrEnum):
    """The codes of Bye and Refused; `meaning` explains and says what to do."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> "Code":
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    # In Bye: the link ends.
    GOING = "going", "The peer has nothing more to say. Connect again at any time."
    STOPPING = "stopping", "The server is stopping. Connect again in a while."
    MALFORMED = "malformed", "The bytes are no frame, or break a bound of its fields."
    TOO_LARGE = "too-large", "The frame is larger than the largest frame."
    NOT_NOW = "not-now", "The frame is not allowed in this state of the link."
    VERSION = "version", "The link version is not spoken here. Upgrade the older side."
    HELLO_REFUSED = (
        "hello-refused",
        "The device is unknown here, or its signature is not over this connection.",
    )
    TOO_SLOW = "too-slow", "The link was not opened in time."
    IDLE = "idle", "Nothing was heard for too long."
    NOT_READING = "not-reading", "The peer did not read what it was sent."
    BUSY = "busy", "The server takes no more connections or tries now. Try again in ten minutes."
    SLOW_DOWN = (
        "slow-down",
        "This device has sent far too much, and did not wait when it was told to. "
        "Connect again in a minute.",
    )
    REMOVED = "removed", "The device was removed from its enterprise."
    ACTIVATION_REFUSED = (
        "activation-refused",
        "The code is wrong, used or expired. Ask the administrator for a new one.",
    )
    PAIRING_REFUSED = (
        "pairing-refused",
        "No device waits under this number. Check it, or make another code on the live device.",
    )
    RECOVERY_REFUSED = (
        "recovery-refused",
        "There is no such user here, or these words are not their recovery key (any more).",
    )
    MARKET_LEFT = (
        "market-left",
        "The service in this user's country has ended, or is read-only. See the notice.",
    )
    INTERNAL = "internal", "The server failed. Nothing unanswered was accepted; connect again."

    # In Refused: one posting was not stored and will not be. STORAGE also in Bye.
    STORAGE = "storage", "The server cannot store now. Nothing unanswered was accepted; try later."
    RECIPIENT_UNKNOWN = (
        "recipient-unknown",
        "A device of the fan-out does not exist (any more). Look up the user's devices again.",
    )
    MAILBOX_FULL = "mailbox-full", "Too much waits for a recipient. Try again later."
    EPOCH_TAKEN = (
        "epoch-taken",
        "Another Commit was first at this epoch. Process it, then commit again.",
    )
    EPOCH_AHEAD = "epoch-ahead", "The conversation has not come to this epoch."

    # In PairingEnded: why two devices part. An empty code says that all was handed over.
    PAIRING_WRONG = "pairing-wrong", "The code is wrong: check its words and try again."
    PAIRING_ALTERED = "pairing-altered", "What one device said did not reach the other as it was."
    PAIRING_DIFFERS = "pairing-differs", "The six digits were not the same, or nobody said so."
    PAIRING_LEFT = "pairing-left", "The other device is gone. Begin again with another code."
    PAIRING_LATE = "pairing-late", "The pairing took too long. Begin again with another code."
    PAIRING_TOO_MUCH = "pairing-too-much", "More was said than the server carries for a pairing."
    PAIRING_FAILED = "pairing-failed", "The other device could not go on; it says why."


MEANINGS: Final = {str(code): code.meaning for code in Code}
"""Each code in our own words, for who must not repeat those of the peer."""


class LinkError(ProtocolError):
    """The peer broke a rule of the link: send Bye with `code` and `str(error)`, and close."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code
