"""Activation: a device and the server prove to each other that they know one code.

Pure, both sides; specified in docs/specs/activation.md. Each step returns the object for the next
one, so that steps cannot be out of order:

    device   begin ► AwaitChallenge.open ► Challenged.prove ► AwaitActivated.open ► Enrolment
    server   challenge ► AwaitProof.verify ► Proven.answer

The transcript has the fingerprint of the server's TLS key and the connection's binding: with a man
in the middle the two sides' transcripts differ, and no proof fits. Before `challenge` the server
counts the try.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from blackthorn.crypto import limits as crypto_limits
from blackthorn.crypto import pake
from blackthorn.crypto.aead import CHACHA20_POLY1305, OpenError
from blackthorn.crypto.argon2 import argon2id
from blackthorn.crypto.kdf import SHA256, hkdf_expand, hkdf_extract
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519, VerifyError
from blackthorn.errors import DecodeError, ProtocolError, SecurityError
from blackthorn.ids import Address, Fingerprint, device_id
from blackthorn.link import limits as link_limits
from blackthorn.link.activation.code import Code
from blackthorn.link.frames import ActivateBegin, ActivateChallenge, Activated, ActivateProve, types
from blackthorn.tlog import limits as tlog_limits
from blackthorn.wire import limits as wire_limits
from blackthorn.wire.address import parse_address

ACTIVATION_VERSION = 1

_LABEL = b"blackthorn-activation-v1"
_DEVICE = _LABEL + b" device"
_NONCE = bytes(12)
"""Fixed, since each AEAD key seals one payload of one session."""


class ServerUnprovenError(SecurityError):
    """The server did not prove that it knows the code: a wrong word, or an interception."""


class DeviceUnprovenError(ProtocolError):
    """The device did not prove that it knows the code and holds its identity key."""


Statements = Annotated[
    list[types.StatementBytes], Meta(min_length=1, max_length=link_limits.MAX_ACTIVATION_STATEMENTS)
]


class Owner(Struct, frozen=True):
    """The code's user, and their identity chain before the code was used.

    `seq` is the number of its statements, `head` the hash of the last, zeros without any.
    `time_ms` is the ledger's time, Unix milliseconds, 0 for none: the device dates its keys so.
    `rules` are those that the chain asks for. `padding` hides the size of the rest.
    """

    address: types.AddressText
    seq: types.Uint64
    head: types.Bytes32
    time_ms: types.Uint64 = 0
    rules: Annotated[int, Meta(ge=1, le=0xFFFF)] = 1
    padding: Annotated[bytes, Meta(max_length=link_limits.PADDED_OWNER_BYTES)] = b""


class DeviceKeys(Struct, frozen=True):
    """The public parts of a new device.

    The device signs `statements`: a genesis and, with a `certificate`, a set_openpgp; or, for an
    existing chain, one reset, without a certificate.
    """

    identity_key: types.Bytes32
    name: Annotated[str, Meta(min_length=1, max_length=wire_limits.MAX_DEVICE_NAME_CHARACTERS)]
    certificate: Annotated[bytes, Meta(max_length=crypto_limits.MAX_CERTIFICATE_BYTES)]
    key_packages: Annotated[
        list[types.KeyPackageBytes], Meta(max_length=link_limits.MAX_KEY_PACKAGES_PER_DEVICE)
    ]
    last_resort: types.KeyPackageBytes
    statements: Statements


class Enrolment(Struct, frozen=True):
    """The enrolled device's identity. `server_time` is Unix time in milliseconds.

    `statements` are the device's as stored, countersigned where needed. The device pins `config`,
    the ledger's configuration record, and `policy`, the trust policy.
    """

    address: types.AddressText
    domain: str
    pin: Annotated[str, Meta(pattern="^[0-9A-F]{8}$")]
    device: types.Id16
    server_time: types.Uint64
    statements: Statements
    config: Annotated[bytes, Meta(min_length=1, max_length=wire_limits.MAX_LEDGER_ENTRY_BYTES)]
    policy: Annotated[str, Meta(min_length=1, max_length=tlog_limits.MAX_POLICY_BYTES)]


class _Proven(Struct, frozen=True):
    """The payload of ActivateProve; the identity key signs `possession`."""

    keys: DeviceKeys
    possession: types.Signature


_encode = msgspec.msgpack.Encoder().encode
_decode_proven = msgspec.msgpack.Decoder(_Proven).decode
_decode_owner = msgspec.msgpack.Decoder(Owner).decode
_decode_enrolment = msgspec.msgpack.Decoder(Enrolment).decode


@dataclass(frozen=True, slots=True)
class Verifier:
    """The server's record of a code, enough to check it but not to use it.

    `password` (32 bytes) is SPAKE2's; `public_key` (32 bytes) that of the Ed25519 key derived from
    the code, with which the device must sign.
    """

    password: Secret
    public_key: bytes


def _stretch(code: Code, fingerprint: Fingerprint) -> tuple[Secret, Secret]:
    """SPAKE2's password and the seed of a signing key: the code through Argon2id.

    The salt includes the server's key, so that they are useless to any other server.
    """
    salt = hashlib.sha256(_LABEL + fingerprint + code.nameplate.encode()).digest()
    material = argon2id(code.secret.expose(), salt, 64).expose()
    return Secret(material[:32]), Secret(material[32:])


def verifier(code: Code, fingerprint: Fingerprint) -> Verifier:
    """The record of a fresh code for the server with this key. Takes about 0.2 s and 64 MiB."""
    password, signing = _stretch(code, fingerprint)
    return Verifier(password, ED25519.public_key(signing))


@dataclass(frozen=True, slots=True)
class _Session:
    """The keys of one exchange, bound to its transcript."""

    transcript: bytes
    secret: Secret

    @classmethod
    def of(
        cls, secret: Secret, nameplate: str, first: bytes, second: bytes, channel: "Channel"
    ) -> "_Session":
        start = (_LABEL, bytes([ACTIVATION_VERSION]), nameplate.encode())
        parts = (*start, first, second, channel.fingerprint, channel.binding)
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        transcript = hashlib.sha256(framed).digest()
        return cls(transcript, Secret(hkdf_extract(SHA256, transcript, secret.expose())))

    def _key(self, purpose: bytes) -> bytes:
        return hkdf_expand(SHA256, self.secret.expose(), _LABEL + b" " + purpose, 32)

    def proof(self, side: bytes, sealed: bytes = b"") -> bytes:
        """32 bytes that only a holder of the key can compute for transcript and payload."""
        message = self.transcript + hashlib.sha256(sealed).digest()
        return hmac.digest(self._key(side + b" proof"), message, SHA256)

    def seal(self, side: bytes, payload: bytes) -> bytes:
        key = self._key(side + b" payload")
        return CHACHA20_POLY1305.seal(key, _NONCE, payload, self.transcript)

    def open(self, side: bytes, sealed: bytes) -> bytes:
        key = self._key(side + b" payload")
        return CHACHA20_POLY1305.open(key, _NONCE, sealed, self.transcript)

    def signed_by_code(self, sealed: bytes) -> bytes:
        return _LABEL + b" code" + self.transcript + hashlib.sha256(sealed).digest()

    def signed_by_identity(self) -> bytes:
        return _LABEL + b" possession" + self.transcript


@dataclass(frozen=True, slots=True)
class Channel:
    """One side's view of the TLS connection: the server's key, and its binding."""

    fingerprint: Fingerprint
    binding: bytes


def begin(
    code: Code, channel: Channel, random: Callable[[int], bytes]
) -> tuple[ActivateBegin, "AwaitChallenge"]:
    """The device's first frame. Takes about 0.2 s and 64 MiB."""
    password, signing = _stretch(code, channel.fingerprint)
    exchange = pake.initiate(
        password, initiator=_DEVICE, responder=channel.fingerprint, random=random
    )
    frame = ActivateBegin(ACTIVATION_VERSION, code.nameplate, exchange.message)
    return frame, AwaitChallenge(code.nameplate, signing, channel, exchange)


@dataclass(frozen=True, slots=True)
class AwaitChallenge:
    """The device has begun and waits for the server's proof."""

    _nameplate: str
    _signing: Secret
    _channel: Channel
    _exchange: pake.Exchange

    def open(self, challenge: ActivateChallenge) -> "Challenged":
        """The server has proved itself and says whose the code is.

        Raises ServerUnprovenError, before anything of the device has left it.
        """
        try:
            secret = self._exchange.finish(challenge.message)
        except pake.PakeError:
            raise _server_unproven() from None
        session = _Session.of(
            secret, self._nameplate, self._exchange.message, challenge.message, self._channel
        )
        if not hmac.compare_digest(session.proof(b"server", challenge.payload), challenge.proof):
            raise _server_unproven()
        try:
            padded = _decode_owner(session.open(b"owner", challenge.payload))
            owner = msgspec.structs.replace(padded, padding=b"")
            address = parse_address(owner.address)
        except (OpenError, msgspec.DecodeError, DecodeError):
            raise _server_unproven() from None
        return Challenged(address, owner, self._signing, session)


@dataclass(frozen=True, slots=True)
class Challenged:
    """The server has proved itself; the device can now make keys for `address`.

    The device's statements must continue the chain of `owner`.
    """

    address: Address
    owner: Owner
    _signing: Secret
    _session: _Session

    def prove(self, keys: DeviceKeys, identity: Secret) -> tuple[ActivateProve, "AwaitActivated"]:
        """The device's proof over its keys; `identity` is its identity key's 32-byte seed."""
        session = self._session
        possession = ED25519.sign(identity, session.signed_by_identity())
        sealed = session.seal(b"device", _encode(_Proven(keys, possession)))
        signature = ED25519.sign(self._signing, session.signed_by_code(sealed))
        frame = ActivateProve(session.proof(b"device", sealed), signature, sealed)
        return frame, AwaitActivated(session, keys, self.address)


@dataclass(frozen=True, slots=True)
class AwaitActivated:
    _session: _Session
    _keys: DeviceKeys
    _address: Address

    def open(self, activated: Activated) -> Enrolment:
        """The enrolment. Raises ServerUnprovenError."""
        try:
            enrolment = _decode_enrolment(self._session.open(b"server", activated.payload))
        except (OpenError, msgspec.DecodeError):
            raise _server_unproven() from None
        theirs = (enrolment.device, enrolment.address)
        if theirs != (device_id(self._keys.identity_key), self._address):
            raise _server_unproven()
        return enrolment


def _server_unproven() -> ServerUnprovenError:
    return ServerUnprovenError(
        "the server could not prove that it knows this code: its number or a word is wrong, it has "
        "expired or a newer one replaced it, or somebody between this device and the server is "
        "intercepting; nothing was sent. Compare the code, or ask the administrator for a new one"
    )


def challenge(
    begin: ActivateBegin,
    known: Verifier,
    owner: Owner,
    channel: Channel,
    random: Callable[[int], bytes],
) -> tuple[ActivateChallenge, "AwaitProof"]:
    """The server's answer to a begin whose try was counted.

    Only a holder of the code can read `owner`, its user. Raises ProtocolError for an unknown
    version or message.
    """
    if begin.version != ACTIVATION_VERSION:
        raise ProtocolError(f"this server does not support activation version {begin.version}")
    exchange = pake.respond(
        known.password, initiator=_DEVICE, responder=channel.fingerprint, random=random
    )
    secret = exchange.finish(begin.message)
    session = _Session.of(secret, begin.nameplate, begin.message, exchange.message, channel)
    payload = session.seal(b"owner", _padded(owner))
    frame = ActivateChallenge(exchange.message, session.proof(b"server", payload), payload)
    return frame, AwaitProof(session, known.public_key)


def _padded(owner: Owner) -> bytes:
    """The owner in PADDED_OWNER_BYTES, so that the size tells no address."""
    size = len(_encode(owner))
    missing = link_limits.PADDED_OWNER_BYTES - size
    if missing > 255:
        missing -= 1  # a length in two bytes (MessagePack's bin 16)
    return _encode(msgspec.structs.replace(owner, padding=bytes(max(0, missing))))


def no_verifier(random: Callable[[int], bytes]) -> Verifier:
    """A record that no code fits, for a nameplate that is not known: it is answered alike."""
    return Verifier(Secret(random(32)), random(32))


@dataclass(frozen=True, slots=True)
class AwaitProof:
    _session: _Session
    _public_key: bytes

    def verify(self, prove: ActivateProve) -> "Proven":
        """The device's verified keys. Raises DeviceUnprovenError, DecodeError for the payload."""
        session = self._session
        if not hmac.compare_digest(session.proof(b"device", prove.payload), prove.proof):
            raise DeviceUnprovenError("the code is wrong")
        try:
            message = session.signed_by_code(prove.payload)
            ED25519.verify(self._public_key, prove.signature, message)
            proven = _decode_proven(session.open(b"device", prove.payload))
            keys = proven.keys
            ED25519.verify(keys.identity_key, proven.possession, session.signed_by_identity())
        except (VerifyError, OpenError):
            raise DeviceUnprovenError("the device did not sign with the code and its key") from None
        except msgspec.DecodeError as error:
            raise DecodeError(f"not a device's keys: {error}") from None
        return Proven(session, keys)


@dataclass(frozen=True, slots=True)
class Proven:
    """A device that has proved the code and its identity key; `keys` may be stored."""

    _session: _Session
    keys: DeviceKeys

    def answer(self, enrolment: Enrolment) -> Activated:
        """The last frame, once the device is stored durably."""
        return Activated(self._session.seal(b"server", _encode(enrolment)))
