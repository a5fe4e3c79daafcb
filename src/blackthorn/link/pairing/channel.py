"""The channel of a pairing: sealed messages both ways, keyed by SPAKE2 and the transcript.

The transcript holds who plays which role and the fingerprint of the server's TLS key: the new
device, which did not know that key, knows afterwards that it is the one that the live device has
pinned. Order and stages are `exchange`'s.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Final

import msgspec

from blackthorn.crypto.aead import CHACHA20_POLY1305, OpenError
from blackthorn.crypto.kdf import SHA256, hkdf_expand, hkdf_extract
from blackthorn.crypto.secret import Secret
from blackthorn.errors import SecurityError
from blackthorn.ids import Fingerprint
from blackthorn.link.activation.code import Code
from blackthorn.link.frames import Relay
from blackthorn.link.pairing.messages import PairingMessage

PAIRING_VERSION: Final = 1
PROOF_BYTES: Final = 32

LABEL: Final = b"blackthorn-pairing-v1"
LIVE: Final = LABEL + b" live"
NEW: Final = LABEL + b" new"

_encode = msgspec.msgpack.Encoder().encode
_decode: Callable[[bytes], PairingMessage] = msgspec.msgpack.Decoder(PairingMessage).decode


class WrongCodeError(SecurityError):
    """The other side did not prove that it knows the code: nothing was told to it."""


class AlteredError(SecurityError):
    """The message is not the other side's next one: the pairing is over."""


def framed(*parts: bytes) -> bytes:
    """The parts, each after its length in four bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def password(code: Code, fingerprint: Fingerprint) -> Secret:
    """SPAKE2's password. Unstretched: the code lives minutes, and nobody stores a trace of it."""
    material = framed(LABEL, fingerprint, code.nameplate.encode(), code.secret.expose())
    return Secret(hashlib.sha256(material).digest())


class Channel:
    """Sealed messages both ways after SPAKE2, each direction with its key and its counter.

    A message that is dropped, repeated, moved, shortened or altered does not open, and after it
    nothing more does.
    """

    def __init__(self, transcript: bytes, shared: Secret, *, live: bool) -> None:
        self.transcript = transcript
        self._secret = Secret(hkdf_extract(SHA256, transcript, shared.expose()))
        mine, theirs = (LIVE, NEW) if live else (NEW, LIVE)
        self.my_proof, self.their_proof = self._key(mine + b" proof"), self._key(theirs + b" proof")
        self._sealing, self._opening = self._key(mine + b" says"), self._key(theirs + b" says")
        self._sealed = self._opened = 0

    @classmethod
    def of(
        cls,
        shared: Secret,
        code: Code,
        messages: tuple[bytes, bytes],
        fingerprint: Fingerprint,
        *,
        live: bool,
    ) -> "Channel":
        """One side's channel; `messages` are SPAKE2's, the live device's first."""
        first, second = messages
        parts = (bytes([PAIRING_VERSION]), code.nameplate.encode(), LIVE, first, NEW, second)
        transcript = hashlib.sha256(framed(LABEL, *parts, fingerprint)).digest()
        return cls(transcript, shared, live=live)

    def _key(self, purpose: bytes) -> bytes:
        return hkdf_expand(SHA256, self._secret.expose(), purpose, 32)

    def seal(self, message: PairingMessage) -> Relay:
        """The next message."""
        nonce = self._sealed.to_bytes(12, "big")
        self._sealed += 1
        sealed = CHACHA20_POLY1305.seal(self._sealing, nonce, _encode(message), self.transcript)
        return Relay(sealed)

    def open(self, relay: Relay) -> PairingMessage:
        """The other side's next message. Raises AlteredError, now and for ever after."""
        if self._opened < 0:
            raise altered()
        nonce = self._opened.to_bytes(12, "big")
        try:
            message = _decode(
                CHACHA20_POLY1305.open(self._opening, nonce, relay.data, self.transcript)
            )
        except (OpenError, msgspec.DecodeError, UnicodeDecodeError):
            self._opened = -1
            raise altered() from None
        self._opened += 1
        return message

    def prove(self, message: PairingMessage) -> Relay:
        """This side's first message, its proof of the code before it."""
        return Relay(self._proof(self.my_proof) + self.seal(message).data)

    def open_proof(self, relay: Relay) -> PairingMessage:
        """The other side's first message. Raises WrongCodeError, AlteredError."""
        proof, sealed = relay.data[:PROOF_BYTES], relay.data[PROOF_BYTES:]
        if not hmac.compare_digest(proof, self._proof(self.their_proof)):
            raise wrong_code()
        return self.open(Relay(sealed))

    def _proof(self, key: bytes) -> bytes:
        return hmac.digest(key, self.transcript, SHA256)


def wrong_code() -> WrongCodeError:
    """The error of either side."""
    return WrongCodeError(
        "the other side could not prove that it knows this code: a word is wrong, or somebody "
        "between the two devices is intercepting; nothing was told to it"
    )


def altered() -> AlteredError:
    """The error of every message after the first that does not open."""
    return AlteredError("what the other device said was altered or came out of order on its way")
