"""docs/specs/activation.md, computed once more from its text alone, against the program."""

import hashlib
import hmac
import random as seeded
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from spake2 import SPAKE2_A

from blackthorn.crypto.secret import Secret
from blackthorn.ids import Address, Fingerprint, device_id
from blackthorn.link.activation import exchange
from blackthorn.link.activation.code import parse_code
from blackthorn.link.activation.exchange import Channel, DeviceKeys, Enrolment, Owner

L = b"blackthorn-activation-v1"
F = Fingerprint(b"\x11" * 32)
B = b"the binding of one connection"
NAMEPLATE = b"4821"
SPEC = Path(__file__).parents[2] / "docs/specs/activation.md"


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def stretched(code: bytes) -> tuple[bytes, Ed25519PrivateKey]:
    salt = sha256(L + F + NAMEPLATE)
    function = Argon2id(salt=salt, length=64, iterations=3, lanes=4, memory_cost=64 * 1024)
    material = function.derive(code)
    return material[:32], Ed25519PrivateKey.from_private_bytes(material[32:])


class Schedule:
    """Transcript and keys, as the specification writes them."""

    def __init__(self, x: bytes, y: bytes, k: bytes) -> None:
        parts = (L, b"\x01", NAMEPLATE, x, y, F, B)
        self.t = sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts))
        self.secret = HKDF.extract(SHA256(), self.t, k)

    def key(self, purpose: bytes) -> bytes:
        return HKDFExpand(SHA256(), 32, L + b" " + purpose).derive(self.secret)

    def proof(self, side: bytes, payload: bytes) -> bytes:
        return hmac.digest(self.key(side + b" proof"), self.t + sha256(payload), "sha256")

    def open(self, side: bytes, payload: bytes) -> bytes:
        key = self.key(side + b" payload")
        return ChaCha20Poly1305(key).decrypt(bytes(12), payload, self.t)


def test_the_exchange_is_what_the_specification_says():
    example = next(line.strip() for line in SPEC.read_text().splitlines() if "4821-" in line)
    code = parse_code(example)
    password, signing = stretched(code.secret.expose())
    known = exchange.verifier(code, F)
    assert known.password == Secret(password)
    assert known.public_key == signing.public_key().public_bytes_raw()

    spake = SPAKE2_A(password, idA=L + b" device", idB=F, entropy_f=seeded.Random(1).randbytes)
    begin, device = exchange.begin(code, Channel(F, B), seeded.Random(1).randbytes)
    assert (begin.version, begin.nameplate, begin.message) == (1, "4821", spake.start())

    address = Address("alice@acme.example")
    owner = Owner(address, 2, sha256(b"the second statement"), 1_700_000_000_000)
    second, server = exchange.challenge(
        begin, known, owner, Channel(F, B), seeded.Random(2).randbytes
    )
    schedule = Schedule(begin.message, second.message, spake.finish(second.message))
    assert second.proof == schedule.proof(b"server", second.payload)
    opened = schedule.open(b"owner", second.payload)
    assert len(opened) == 496
    told = msgspec.msgpack.decode(opened)
    assert not any(told.pop("padding"))
    head = sha256(b"the second statement")
    assert told.pop("rules") == 1
    assert told == {"address": address, "seq": 2, "head": head, "time_ms": 1_700_000_000_000}

    identity = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
    public = identity.public_key().public_bytes_raw()
    keys = DeviceKeys(public, "laptop", b"certificate", [b"one"], b"last", [b"a statement"])
    third, waiting = device.open(second).prove(keys, Secret(b"\x07" * 32))
    assert third.proof == schedule.proof(b"device", third.payload)
    signed = L + b" code" + schedule.t + sha256(third.payload)
    Ed25519PublicKey.from_public_bytes(known.public_key).verify(third.signature, signed)
    payload = msgspec.msgpack.decode(schedule.open(b"device", third.payload))
    identity.public_key().verify(payload["possession"], L + b" possession" + schedule.t)
    assert payload["keys"]["identity_key"] == public

    mine = device_id(public)
    enrolment = Enrolment(
        address, "acme.example", "2100CAFE", mine, 1, [b"a statement"], b"record", "quorum none\n"
    )
    fourth = server.verify(third).answer(enrolment)
    told = msgspec.msgpack.decode(schedule.open(b"server", fourth.payload))
    assert told["address"] == address and told["pin"] == "2100CAFE"
    assert told["statements"] == [b"a statement"] and told["config"] == b"record"
    assert waiting.open(fourth) == enrolment
