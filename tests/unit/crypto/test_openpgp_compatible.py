"""Certificate B: what it says of itself, and that it seals, opens, signs, locks and is revoked."""

import hashlib
import os

import pysequoia
import pytest

from blackthorn.crypto.openpgp import compatible, packets
from blackthorn.crypto.openpgp_open import generate_user_key, unseal
from blackthorn.crypto.openpgp_seal import RevokedCertificateError, parse_certificate, seal
from blackthorn.crypto.openpgp_verify import verify_detached
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import VerifyError

NOW = 1_790_000_000
KEY, CERTIFICATE = compatible.generate("bea@acme.example", NOW, os.urandom)


def subpackets_of(certificate: bytes) -> list[dict[int, bytes]]:
    """The hashed subpackets of each signature, in order."""
    found = []
    for tag, body in packets.packets(certificate):
        if tag == packets.SIGNATURE:
            hashed = body[6 : 6 + int.from_bytes(body[4:6], "big")]
            found.append({kind: hashed[a:b] for kind, a, b in packets.subpackets(hashed)})
    return found


def test_it_announces_version_1_of_the_container_and_nothing_newer():
    certification, binding = subpackets_of(CERTIFICATE)
    assert certification[packets.FEATURES] == b"\x01"
    assert packets.FEATURES not in binding
    assert certification[packets.KEY_FLAGS] == b"\x03"
    assert binding[packets.KEY_FLAGS] == b"\x0c"


def test_it_has_one_key_to_seal_to_and_it_is_the_legacy_one():
    keys = [
        body
        for tag, body in packets.packets(CERTIFICATE)
        if tag in (packets.PUBLIC_KEY, packets.PUBLIC_SUBKEY)
    ]
    assert [(body[0], body[5]) for body in keys] == [(4, 22), (4, 18)]
    assert (
        parse_certificate(CERTIFICATE).fingerprint
        == hashlib.sha1(b"\x99" + len(keys[0]).to_bytes(2, "big") + keys[0]).hexdigest()
    )


def test_what_is_sealed_to_it_is_in_a_container_of_version_1_and_opens():
    sealed = seal(b"hello", parse_certificate(CERTIFICATE), now=NOW)
    assert unseal(sealed, KEY) == b"hello"
    containers = [
        packet.body
        for packet in pysequoia.packet.PacketPile.from_bytes(sealed)
        if "SEIP" in str(packet.tag).upper()
    ]
    assert [body[0] for body in containers] == [1]


@pytest.mark.parametrize("zeros", [0, 1, 3, 31])
def test_secrets_with_leading_zeros_are_kept_whole(zeros):
    """A multiprecision integer has no leading zeros, and the parser puts them back."""
    key, certificate = compatible.generate(
        "bea@acme.example", NOW, lambda n: bytes(zeros) + b"\x05" * (n - zeros)
    )
    assert unseal(seal(b"x", parse_certificate(certificate), now=NOW), key) == b"x"
    verify_detached(parse_certificate(certificate), compatible.sign(b"m", key), b"m")
    assert compatible.lock(key, Secret(b"word"), os.urandom)


def test_its_signature_is_dated_as_the_key_and_of_this_message_only():
    signature = compatible.sign(b"a statement", KEY)
    parsed = parse_certificate(CERTIFICATE)
    verify_detached(parsed, signature, b"a statement")
    assert pysequoia.Sig.from_bytes(signature).created.timestamp() == NOW
    with pytest.raises(VerifyError):
        verify_detached(parsed, signature, b"another statement")


def test_a_revoked_one_is_not_sealed_to():
    revoked = parse_certificate(compatible.revoke(KEY, NOW + 1))
    assert revoked.revoked
    assert revoked.fingerprint == parse_certificate(CERTIFICATE).fingerprint
    with pytest.raises(RevokedCertificateError):
        seal(b"x", revoked, now=NOW + 2)


def test_a_locked_key_shows_neither_secret():
    locked = compatible.lock(KEY, Secret(b"a passphrase"), os.urandom)
    secrets = [body for tag, body in packets.packets(KEY.expose()) if tag in (5, 7)]
    for body in secrets:
        assert body[-34:-2] not in locked
    assert parse_certificate(
        bytes(pysequoia.Tsk.from_bytes(locked).extract_certificate())
    ).fingerprint == (parse_certificate(CERTIFICATE).fingerprint)


@pytest.mark.parametrize(
    "key",
    [
        Secret(b""),
        Secret(CERTIFICATE),
        Secret(KEY.expose()[:-1]),
        Secret(KEY.expose() + KEY.expose()),
        generate_user_key("bea@acme.example")[0],
    ],
)
def test_another_key_is_refused(key):
    for use in (
        lambda: compatible.lock(key, Secret(b"x"), os.urandom),
        lambda: compatible.sign(b"", key),
    ):
        with pytest.raises(ValueError, match=r".+"):
            use()
