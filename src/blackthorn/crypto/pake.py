"""SPAKE2 over Ed25519's group: two sides that share a password agree on a key.

Uses the `spake2` library (Abdalla and Pointcheval, 2005, magic-wormhole's encoding). Callers must
confirm the key: a wrong password shows in no other way.
"""

from collections.abc import Callable

import spake2
from spake2.ed25519_basic import NotOnCurve

from blackthorn.crypto.secret import Secret
from blackthorn.errors import ProtocolError


class PakeError(ProtocolError):
    """Not a valid 33-byte SPAKE2 message."""


class Exchange:
    """One side of an exchange. Send `message`; call `finish` once."""

    def __init__(self, machine: spake2.SPAKE2_A | spake2.SPAKE2_B) -> None:
        self._machine = machine
        self.message: bytes = machine.start()
        """33 bytes for the other side."""

    def finish(self, message: bytes) -> Secret:
        """The 32-byte key from the other side's message. Raises PakeError."""
        if len(message) != len(self.message):
            raise PakeError("a SPAKE2 message has 33 bytes")
        try:
            return Secret(self._machine.finish(message))
        except (spake2.SPAKEError, NotOnCurve, ValueError, AssertionError):
            raise PakeError("not a SPAKE2 message of the other side") from None


def initiate(
    password: Secret, *, initiator: bytes, responder: bytes, random: Callable[[int], bytes]
) -> Exchange:
    """The initiator; both names enter the key, `random` makes the scalar."""
    return Exchange(
        spake2.SPAKE2_A(password.expose(), idA=initiator, idB=responder, entropy_f=random)
    )


def respond(
    password: Secret, *, initiator: bytes, responder: bytes, random: Callable[[int], bytes]
) -> Exchange:
    """The responder, as `initiate`."""
    return Exchange(
        spake2.SPAKE2_B(password.expose(), idA=initiator, idB=responder, entropy_f=random)
    )
