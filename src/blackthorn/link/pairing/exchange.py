"""Pairing: a live device of a user and a new one prove to each other that they know one code.

Pure, both sides; specified in docs/specs/pairing.md. The server carries what they say and can
neither read nor change it. Each step returns the object that can take the next one, so that a
step out of order cannot be written:

    live   Offer.open ► AwaitJoin.paired ► AwaitProof.open ► AwaitReveal.open ► Compared
    new    join ► AwaitPaired.paired ► AwaitGreeting.open ► Compared

The transcript holds who plays which role and the fingerprint of the server's TLS key: the new
device, which did not know that key, knows afterwards that it is the one that the live device has
pinned. Before a side has seen the other's proof it says nothing but its own.

`Compared.digest` is what the six digits are made of that two people compare. The new device
commits to its part of it before it sees the live one's, so that whoever knows the code and
stands between two devices cannot make the digits of both sides equal but by luck.

What never happens here: looking at what the sealed messages hold, asking a person, storing.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from blackthorn.crypto import pake
from blackthorn.crypto.aead import CHACHA20_POLY1305, OpenError
from blackthorn.crypto.kdf import SHA256, hkdf_expand, hkdf_extract
from blackthorn.crypto.secret import Secret
from blackthorn.errors import DecodeError, SecurityError, UserError
from blackthorn.ids import Address, Fingerprint
from blackthorn.link import limits as link_limits
from blackthorn.link.activation.code import Code
from blackthorn.link.frames import JoinPairing, OpenPairing, Paired, Relay
from blackthorn.link.frames.types import AddressText, Bytes32
from blackthorn.tlog import limits as tlog_limits
from blackthorn.wire import limits as wire_limits
from blackthorn.wire.address import parse_address

PAIRING_VERSION: Final = 1
PROOF_BYTES: Final = 32
NONCE_BYTES: Final = 32

_LABEL: Final = b"blackthorn-pairing-v1"
_LIVE: Final = _LABEL + b" live"
_NEW: Final = _LABEL + b" new"

Random = Callable[[int], bytes]
Part = Annotated[bytes, Meta(min_length=1, max_length=link_limits.MAX_PAIRING_BYTES)]


class WrongCodeError(SecurityError):
    """The other side did not prove that it knows the code: nothing was told to it."""


class BurntError(UserError):
    """The code was tried too often; another one must be made."""


class AlteredError(SecurityError):
    """What came is not the next thing that the other side said: the pairing is over."""


# --- What the two tell each other, sealed -------------------------------------------------


class Commitment(Struct, frozen=True, tag="commitment"):
    """New to live, with its proof: the hash of what it will reveal."""

    hash: Bytes32


class Greeting(Struct, frozen=True, tag="greeting"):
    """Live to new, with its proof: whose devices they are, and 32 random bytes."""

    nonce: Bytes32
    address: AddressText


class Reveal(Struct, frozen=True, tag="reveal"):
    """New to live: 32 random bytes, and the device that is to be added as it names itself."""

    nonce: Bytes32
    device: Annotated[bytes, Meta(min_length=1, max_length=wire_limits.MAX_STATEMENT_BYTES)]


class Confirmed(Struct, frozen=True, tag="confirmed"):
    """New to live: the person there says that both devices show the same six digits."""


class Draft(Struct, frozen=True, tag="draft"):
    """Live to new: sign this statement, which adds you. Again when the chain has moved on."""

    statement: Annotated[bytes, Meta(min_length=1, max_length=wire_limits.MAX_STATEMENT_BYTES)]


class Countersigned(Struct, frozen=True, tag="countersigned"):
    """New to live: the statement with the new device's signature."""

    statement: Annotated[bytes, Meta(min_length=1, max_length=wire_limits.MAX_STATEMENT_BYTES)]


class Handover(Struct, frozen=True, tag="handover"):
    """Live to new: the statement is stored, and this is the new device's first view.

    `accepted` is the newest checkpoint that the live device has accepted, as
    `device.account.pairing` writes it: what the new device would else have to take from the server.
    `it_policy` is the enterprise's for devices. The own chain follows as a batch.
    """

    config: Annotated[bytes, Meta(min_length=1, max_length=wire_limits.MAX_LEDGER_ENTRY_BYTES)]
    policy: Annotated[str, Meta(min_length=1, max_length=tlog_limits.MAX_POLICY_BYTES)]
    accepted: Annotated[bytes, Meta(max_length=link_limits.MAX_PAIRING_BYTES)]
    domain: str
    pin: Annotated[str, Meta(pattern="^[0-9A-F]{8}$")]
    it_policy: Annotated[bytes, Meta(max_length=wire_limits.MAX_LEDGER_ENTRY_BYTES)] = b""


class Batch(Struct, frozen=True, tag="batch"):
    """Live to new: items of one kind (`pairing` knows which); `left` more will follow."""

    kind: Annotated[str, Meta(max_length=16)]
    items: list[Part]
    left: int


class Took(Struct, frozen=True, tag="took"):
    """New to live: the last handover or batch is durable here; the next one may come."""


class Finished(Struct, frozen=True, tag="finished"):
    """Live to new: that was all."""


Said = (
    Commitment
    | Greeting
    | Reveal
    | Confirmed
    | Draft
    | Countersigned
    | Handover
    | Batch
    | Took
    | Finished
)

_encode = msgspec.msgpack.Encoder().encode
_decode: Callable[[bytes], Said] = msgspec.msgpack.Decoder(Said).decode


# --- What both derive ---------------------------------------------------------------------


def _framed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _password(code: Code, fingerprint: Fingerprint) -> Secret:
    """SPAKE2's password. Unstretched: the code lives minutes, and nobody stores a trace of it."""
    material = _framed(_LABEL, fingerprint, code.nameplate.encode(), code.secret.expose())
    return Secret(hashlib.sha256(material).digest())


class Channel:
    """Sealed messages both ways after SPAKE2, each direction with its key and its counter.

    A message that is dropped, repeated, moved, shortened or altered does not open, and after it
    nothing more does.
    """

    def __init__(self, transcript: bytes, shared: Secret, *, live: bool) -> None:
        self.transcript = transcript
        self._secret = Secret(hkdf_extract(SHA256, transcript, shared.expose()))
        mine, theirs = (_LIVE, _NEW) if live else (_NEW, _LIVE)
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
        parts = (bytes([PAIRING_VERSION]), code.nameplate.encode(), _LIVE, first, _NEW, second)
        transcript = hashlib.sha256(_framed(_LABEL, *parts, fingerprint)).digest()
        return cls(transcript, shared, live=live)

    def _key(self, purpose: bytes) -> bytes:
        return hkdf_expand(SHA256, self._secret.expose(), purpose, 32)

    def seal(self, said: Said) -> Relay:
        """The next message."""
        nonce = self._sealed.to_bytes(12, "big")
        self._sealed += 1
        sealed = CHACHA20_POLY1305.seal(self._sealing, nonce, _encode(said), self.transcript)
        return Relay(sealed)

    def open(self, relay: Relay) -> Said:
        """The other side's next message. Raises AlteredError, now and for ever after."""
        if self._opened < 0:
            raise _altered()
        nonce = self._opened.to_bytes(12, "big")
        try:
            said = _decode(
                CHACHA20_POLY1305.open(self._opening, nonce, relay.data, self.transcript)
            )
        except (OpenError, msgspec.DecodeError, UnicodeDecodeError):
            self._opened = -1
            raise _altered() from None
        self._opened += 1
        return said

    def prove(self, said: Said) -> Relay:
        """This side's first message, its proof of the code before it."""
        return Relay(self._proof(self.my_proof) + self.seal(said).data)

    def open_proof(self, relay: Relay) -> Said:
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


def _altered() -> AlteredError:
    return AlteredError("what the other device said was altered or came out of order on its way")


@dataclass(frozen=True, slots=True)
class Compared:
    """Both sides have proved the code; two people now compare digits made of `digest`.

    `address` is the user's, `device` what the new device says of itself.
    """

    channel: Channel = field(repr=False)
    digest: bytes
    address: Address
    device: bytes


def _compared(channel: Channel, greeting: Greeting, reveal: Reveal) -> Compared:
    digest = hashlib.sha256(
        _framed(
            _LABEL + b" digits",
            channel.transcript,
            greeting.nonce,
            greeting.address.encode(),
            reveal.nonce,
            reveal.device,
        )
    ).digest()
    return Compared(channel, digest, _address(greeting), reveal.device)


def _address(greeting: Greeting) -> Address:
    try:
        return parse_address(greeting.address)
    except DecodeError:
        raise AlteredError("the other device named no address") from None


def _commit(reveal: Reveal) -> bytes:
    parts = _framed(_LABEL + b" commitment", reveal.nonce, reveal.device)
    return hashlib.sha256(parts).digest()


# --- The live device ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Offer:
    """A code that the live device has made, and how often it was tried wrongly."""

    code: Code
    fingerprint: Fingerprint
    address: Address
    tries: int = 0

    def open(self, random: Random) -> tuple[OpenPairing, "AwaitJoin"]:
        """Wait for somebody to join, with fresh randomness each time."""
        exchange = pake.initiate(
            _password(self.code, self.fingerprint), initiator=_LIVE, responder=_NEW, random=random
        )
        return OpenPairing(self.code.nameplate, exchange.message), AwaitJoin(self, exchange)

    def tried(self) -> "Offer":
        """The offer after a wrong try. Raises BurntError after the last one."""
        if self.tries + 1 >= link_limits.PAIRING_TRIES:
            raise BurntError(
                f"the code was tried wrongly {link_limits.PAIRING_TRIES} times and is burnt"
            )
        return replace(self, tries=self.tries + 1)


@dataclass(frozen=True, slots=True)
class AwaitJoin:
    """The live device waits for somebody to join."""

    _offer: Offer
    _exchange: pake.Exchange

    def paired(self, paired: Paired) -> "AwaitProof":
        """Somebody has joined. Raises WrongCodeError when what he said is no SPAKE2 message."""
        try:
            shared = self._exchange.finish(paired.message)
        except pake.PakeError:
            raise wrong_code() from None
        offer = self._offer
        messages = (self._exchange.message, paired.message)
        channel = Channel.of(shared, offer.code, messages, offer.fingerprint, live=True)
        return AwaitProof(offer, channel)


@dataclass(frozen=True, slots=True)
class AwaitProof:
    """The live device waits for the new one's proof, and has said nothing."""

    _offer: Offer
    _channel: Channel

    def open(self, relay: Relay, random: Random) -> tuple[Relay, "AwaitReveal"]:
        """The other side's proof; this side's. Raises WrongCodeError, AlteredError."""
        said = self._channel.open_proof(relay)
        if not isinstance(said, Commitment):
            raise AlteredError("the other device did not begin as it should")
        greeting = Greeting(random(NONCE_BYTES), self._offer.address)
        return self._channel.prove(greeting), AwaitReveal(self._channel, greeting, said)


@dataclass(frozen=True, slots=True)
class AwaitReveal:
    """The live device has proved itself and waits to hear which device is to be added."""

    _channel: Channel
    _greeting: Greeting
    _commitment: Commitment

    def open(self, relay: Relay) -> Compared:
        """What the new device is. Raises AlteredError unless it had committed itself to it."""
        said = self._channel.open(relay)
        if not isinstance(said, Reveal) or not hmac.compare_digest(
            _commit(said), self._commitment.hash
        ):
            raise AlteredError("the other device revealed something else than it had promised")
        return _compared(self._channel, self._greeting, said)


# --- The new device -----------------------------------------------------------------------


def join(code: Code, fingerprint: Fingerprint, random: Random) -> tuple[JoinPairing, "AwaitPaired"]:
    """The new device's first frame; `fingerprint` is that of the server's key as it sees it."""
    exchange = pake.respond(
        _password(code, fingerprint), initiator=_LIVE, responder=_NEW, random=random
    )
    frame = JoinPairing(PAIRING_VERSION, code.nameplate, exchange.message)
    return frame, AwaitPaired(code, fingerprint, exchange)


@dataclass(frozen=True, slots=True)
class AwaitPaired:
    """The new device waits for the live one's SPAKE2 message."""

    _code: Code
    _fingerprint: Fingerprint
    _exchange: pake.Exchange

    def paired(
        self, paired: Paired, device: bytes, random: Random
    ) -> tuple[Relay, "AwaitGreeting"]:
        """This side's proof, and its promise of what it will reveal: `device`.

        Raises WrongCodeError when what came is no SPAKE2 message.
        """
        try:
            shared = self._exchange.finish(paired.message)
        except pake.PakeError:
            raise wrong_code() from None
        messages = (paired.message, self._exchange.message)
        channel = Channel.of(shared, self._code, messages, self._fingerprint, live=False)
        reveal = Reveal(random(NONCE_BYTES), device)
        return channel.prove(Commitment(_commit(reveal))), AwaitGreeting(channel, reveal)


@dataclass(frozen=True, slots=True)
class AwaitGreeting:
    """The new device has proved itself and waits for the live one's proof."""

    _channel: Channel
    _reveal: Reveal

    def open(self, relay: Relay) -> tuple[Relay, Compared]:
        """What the device is, now that the other side is known. Raises as `AwaitProof.open`."""
        said = self._channel.open_proof(relay)
        if not isinstance(said, Greeting):
            raise AlteredError("the other device did not begin as it should")
        compared = _compared(self._channel, said, self._reveal)
        return self._channel.seal(self._reveal), compared
