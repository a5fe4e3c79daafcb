"""SPAKE2 over Ed25519's group: two sides that share a password agree on a key, or on none.

The door to the `spake2` library (the construction of Abdalla and Pointcheval, 2005, with
magic-wormhole's encoding). A wrong password shows only when the keys are compared, which is
the caller's duty: nothing here says whether the other side knew it.
"""

from collections.abc import Callable

import spake2
from spake2.ed25519_basic import NotOnCurve

from blackthorn.crypto.secret import Secret
from blackthorn.errors import ProtocolError


class PakeError(ProtocolError):
    """The other side's message is no valid SPAKE2 message of 33 bytes."""


class Exchange:
    """One side of one exchange. `message` is to be sent; `finish` may be called once."""

    def __init__(self, machine: spake2.SPAKE2_A | spake2.SPAKE2_B) -> None:
        self._machine = machine
        self.message: bytes = machine.start()
        """33 bytes for the other side."""

    def finish(self, message: bytes) -> Secret:
        """The 32-byte key, the other side's message given. Raises PakeError."""
        if len(message) != len(self.message):
            raise PakeError("a SPAKE2 message has 33 bytes")
        try:
            return Secret(self._machine.finish(message))
        except (spake2.SPAKEError, NotOnCurve, ValueError, AssertionError):
            raise PakeError("not a SPAKE2 message of the other side") from None


def initiate(
    password: Secret, *, initiator: bytes, responder: bytes, random: Callable[[int], bytes]
) -> Exchange:
    """The side that speaks first; both names enter the key, `random` gives the scalar."""
    return Exchange(
        spake2.SPAKE2_A(password.expose(), idA=initiator, idB=responder, entropy_f=random)
    )


def respond(
    password: Secret, *, initiator: bytes, responder: bytes, random: Callable[[int], bytes]
) -> Exchange:
    """The side that answers; as `initiate`."""
    return Exchange(
        spake2.SPAKE2_B(password.expose(), idA=initiator, idB=responder, entropy_f=random)
    )
