"""The channel of a pairing: sealed messages both ways, keyed by SPAKE2 and the transcript.

The transcript has the roles and the fingerprint of the server's TLS key, so that the new device
learns that the key it sees is the one pinned by the live device. Order is `exchange`'s.
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
    """The other side did not prove the code; it was told nothing."""


class AlteredError(SecurityError):
    """The message is not the other side's next one; the pairing is over."""


def framed(*parts: bytes) -> bytes:
    """The parts, each behind its length in four bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def password(code: Code, fingerprint: Fingerprint) -> Secret:
    """SPAKE2's password, not stretched: the code lives minutes and is stored nowhere."""
    material = framed(LABEL, fingerprint, code.nameplate.encode(), code.secret.expose())
    return Secret(hashlib.sha256(material).digest())


class Channel:
    """Sealed messages both ways after SPAKE2, with a key and counter per direction.

    A dropped, repeated, moved, shortened or altered message does not open, nor any after it.
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
        nonce = self._sealed.to_bytes(12, "big")
        self._sealed += 1
        sealed = CHACHA20_POLY1305.seal(self._sealing, nonce, _encode(message), self.transcript)
        return Relay(sealed)

    def open(self, relay: Relay) -> PairingMessage:
        """The other side's next message. Raises AlteredError, now and from then on."""
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
        """This side's first message behind its proof of the code."""
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
    return WrongCodeError(
        "the other side could not prove that it knows this code: a word is wrong, or somebody "
        "between the two devices is intercepting; it was told nothing"
    )


def altered() -> AlteredError:
    return AlteredError("a message of the other device was altered or came out of order")
