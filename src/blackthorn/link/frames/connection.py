"""Frames that open, keep alive and end a connection."""

from typing import Annotated

from msgspec import Meta

from blackthorn.link.frames.types import Frame, Id16, Signature, Uint64

LINK_VERSION = 4
"""A server also takes 3, whose devices ask for no certificates of people outside; 2, whose devices
know no SlowDown; and 1: hellos without number besides."""

SLOW_DOWN_VERSION = 3

HELLO_BYTES = 136
"""A kept hello (`link.hello.KeptHello`)."""


class Hello(Frame, tag=1, frozen=True):
    """Device to server, first. Signed over the TLS channel binding (`link.hello`).

    `number` rises with each hello of the device, and `before` is the hash of the one before.
    """

    version: int
    device: Id16
    signature: Signature
    number: Uint64 = 0
    before: Annotated[bytes, Meta(max_length=32)] = b""


class Ready(Frame, tag=2, frozen=True):
    """Server to device: hello accepted. `key_packages` counts the unclaimed ones.

    `ledger` is the size of the newest published tree, 0 before the first.
    `before` is the hello with the highest number that the server had, or empty; in version 1, to a
    hello of that version or when the disk is full, the server has kept none.
    """

    version: int
    key_packages: int
    ledger: Uint64 = 0
    before: Annotated[bytes, Meta(max_length=HELLO_BYTES)] = b""


class Bye(Frame, tag=3, frozen=True):
    """Either side, last: why the link ends. `code` is one of `link.codes`."""

    code: Annotated[str, Meta(max_length=64)]
    text: Annotated[str, Meta(max_length=512)]


class Ping(Frame, tag=4, frozen=True):
    """Either side: are you there?"""

    nonce: Uint64


class Pong(Frame, tag=5, frozen=True):
    """The answer to Ping, with its nonce."""

    nonce: Uint64


ConnectionFrame = Hello | Ready | Bye | Ping | Pong
