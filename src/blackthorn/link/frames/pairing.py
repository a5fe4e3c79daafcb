"""The frames of pairing: a new device joins a live device of the same user.

Specified in docs/specs/pairing.md.
"""

from typing import Annotated

from msgspec import Meta

from blackthorn.link import limits as link_limits
from blackthorn.link.frames.types import Frame


class OpenPairing(Frame, tag=80, frozen=True):
    """Live device to server: connect me with the device that joins under this nameplate.

    `message` is SPAKE2's first. At most one pairing of a device is open at a time.
    """

    nameplate: Annotated[str, Meta(min_length=1, max_length=16)]
    message: Annotated[bytes, Meta(min_length=1, max_length=64)]


class PairingOpened(Frame, tag=81, frozen=True):
    """Server to device: it waits, or `refusal` says why not (the nameplate is taken)."""

    refusal: Annotated[str, Meta(max_length=512)]


class JoinPairing(Frame, tag=82, frozen=True):
    """New device to server instead of Hello: SPAKE2's second message for that nameplate."""

    version: int
    nameplate: Annotated[str, Meta(min_length=1, max_length=16)]
    message: Annotated[bytes, Meta(min_length=1, max_length=64)]


class Paired(Frame, tag=83, frozen=True):
    """Server to both: the other side is there; this is its SPAKE2 message."""

    message: Annotated[bytes, Meta(min_length=1, max_length=64)]


class Relay(Frame, tag=84, frozen=True):
    """Either device by way of the server: sealed bytes for the other one."""

    data: Annotated[bytes, Meta(min_length=1, max_length=link_limits.MAX_PAIRING_BYTES)]


class PairingEnded(Frame, tag=85, frozen=True):
    """Either side: the pairing is over; the reason is in `link.codes` or empty when it is done."""

    code: Annotated[str, Meta(max_length=64)]


PairingFrame = OpenPairing | PairingOpened | JoinPairing | Paired | Relay | PairingEnded
