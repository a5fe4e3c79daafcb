"""Frames of pairing (docs/specs/pairing.md)."""

from typing import Annotated

from msgspec import Meta

from blackthorn.link import limits as link_limits
from blackthorn.link.frames.types import Frame


class OpenPairing(Frame, tag=80, frozen=True):
    """Live device to server: pair with the device that joins under this nameplate.

    `message` is SPAKE2's first. A device has at most one open pairing.
    """

    nameplate: Annotated[str, Meta(min_length=1, max_length=16)]
    message: Annotated[bytes, Meta(min_length=1, max_length=64)]


class PairingOpened(Frame, tag=81, frozen=True):
    """Server to device: it waits, or `refusal` (the nameplate is taken)."""

    refusal: Annotated[str, Meta(max_length=512)]


class JoinPairing(Frame, tag=82, frozen=True):
    """New device to server instead of Hello: SPAKE2's second message for that nameplate."""

    version: int
    nameplate: Annotated[str, Meta(min_length=1, max_length=16)]
    message: Annotated[bytes, Meta(min_length=1, max_length=64)]


class Paired(Frame, tag=83, frozen=True):
    """Server to both: the other side's SPAKE2 message."""

    message: Annotated[bytes, Meta(min_length=1, max_length=64)]


class Relay(Frame, tag=84, frozen=True):
    """Either device by way of the server: sealed bytes for the other one."""

    data: Annotated[bytes, Meta(min_length=1, max_length=link_limits.MAX_PAIRING_BYTES)]


class PairingEnded(Frame, tag=85, frozen=True):
    """Either side: the pairing is over; a code of `link.codes`, or empty when complete."""

    code: Annotated[str, Meta(max_length=64)]


PairingFrame = OpenPairing | PairingOpened | JoinPairing | Paired | Relay | PairingEnded
