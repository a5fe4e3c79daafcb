"""Our HPKE against pyca's, against draft-ietf-hpke-pq's vector, and against bad keys."""

import random

import pytest
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from blackthorn.crypto import aead, kdf, kem
from blackthorn.crypto.hpke import Hpke, HpkeError
from blackthorn.crypto.secret import Secret

XWING = Hpke(kem.XWING, kdf.SHA384, aead.AES_256_GCM)
ALL = [
    XWING,
    Hpke(kem.XWING, kdf.SHA256, aead.AES_128_GCM),
    Hpke(kem.X25519, kdf.SHA256, aead.AES_128_GCM),
    Hpke(kem.X25519, kdf.SHA256, aead.CHACHA20_POLY1305),
    Hpke(kem.X448, kdf.SHA512, aead.AES_256_GCM),
    Hpke(kem.P256, kdf.SHA256, aead.AES_128_GCM),
    Hpke(kem.P384, kdf.SHA384, aead.AES_256_GCM),
    Hpke(kem.P521, kdf.SHA512, aead.AES_256_GCM),
]
EVERY = pytest.mark.parametrize("hpke", ALL, ids=lambda hpke: hpke.kem.name)
h = bytes.fromhex


def test_x_wing_against_pyca() -> None:
    seeded = random.Random(1)
    theirs = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA384, AEAD.AES_256_GCM)
    private, public = XWING.generate_key_pair(seeded.randbytes)
    ml_kem, x = kem.XWING._halves(private)
    their_public = MLKEM768X25519PublicKey(
        mlkem.MLKEM768PublicKey.from_public_bytes(public[:1184]),
        x25519.X25519PublicKey.from_public_bytes(public[1184:]),
    )
    enc, ciphertext = XWING.sealer(b"info")(public, b"ours")
    their_private = MLKEM768X25519PrivateKey(ml_kem, x)
    assert theirs.decrypt(enc + ciphertext, their_private, b"info") == b"ours"
    sealed = theirs.encrypt(b"theirs", their_public, b"info")
    assert XWING.open(private, b"info", sealed[:1120], sealed[1120:]) == b"theirs"


def test_x25519_against_pyca() -> None:
    ours = Hpke(kem.X25519, kdf.SHA256, aead.AES_128_GCM)
    theirs = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
    private, public = ours.generate_key_pair(random.Random(2).randbytes)
    enc, ciphertext = ours.sealer(b"info")(public, b"ours")
    their_private = x25519.X25519PrivateKey.from_private_bytes(private.expose())
    assert theirs.decrypt(enc + ciphertext, their_private, b"info") == b"ours"
    sealed = theirs.encrypt(b"theirs", their_private.public_key(), b"info")
    assert ours.open(private, b"info", sealed[:32], sealed[32:]) == b"theirs"


def test_x_wing_derive_key_pair_is_hpke_pqs_labelled_one() -> None:
    """draft-ietf-hpke-pq-05, A.5.1: ikmR gives skRm and pkRm (its ends are shown)."""
    ikm = h("c8575d137deab99ac98fb0873048c83c3a1f47ef5b409f609c0ca652f58c83e0")
    private, public = XWING.derive_key_pair(Secret(ikm))
    expected = "b6bfa0299b955e85224df2e468f29eeab377ff3b96d4462b39447a22d32b91be"
    assert private.expose() == h(expected)
    assert len(public) == 1216
    assert public[:32] == h("d3d102410970b8bab2984008669914490c95dea2c2ae331ca229aaf3609a6d5a")
    assert public[-32:] == h("641763ebe08e7add5686b0ed1d1e7053982aa616130939d0a09462df7dc74d05")


def test_key_schedule_of_hpke_pqs_vector() -> None:
    """draft-ietf-hpke-pq-05, A.5.1: from the shared secret to key, nonce and export."""
    hpke = Hpke(kem.XWING, kdf.SHA256, aead.CHACHA20_POLY1305)
    info = h("34663634363532303666366532303631323034373732363536333639363136653230353537323665")
    shared = h("e059d39125d1f09a7232413a13ec5cb18a37417675442c962700d59da46d105a")
    key, nonce = hpke._key_and_nonce(shared, hpke._context(info))
    assert key == h("100a6260ae1a2660dd575fd4f8bf8ebddda22b8bdb0f1bca9fcb26c0aa12418e")
    assert nonce == h("b55542ef5c7fc75d075bbfde")
    exported = hpke._export(shared, info, b"pseudorandom0", 32)
    expected = "14b64c194571a8e6fc16cb4d22754c79391081174b6001cd8050142f928defbb"
    assert exported.expose() == h(expected)


@EVERY
def test_seal_open_export(hpke: Hpke) -> None:
    private, public = hpke.generate_key_pair(random.Random(3).randbytes)
    hpke.check_public_key(public)
    hpke.check_key_pair(private, public)
    enc, ciphertext = hpke.sealer(b"info")(public, b"plaintext")
    assert len(enc) == hpke.kem.enc_size
    assert hpke.open(private, b"info", enc, ciphertext) == b"plaintext"
    enc, sent = hpke.send_export(public, b"info", b"context", 40)
    assert hpke.receive_export(private, enc, b"info", b"context", 40) == sent
    assert hpke.receive_export(private, enc, b"other", b"context", 40) != sent


@EVERY
def test_what_is_wrong_raises_hpke_error(hpke: Hpke) -> None:
    seeded = random.Random(4)
    private, public = hpke.generate_key_pair(seeded.randbytes)
    enc, ciphertext = hpke.sealer(b"info")(public, b"plaintext")
    bad_publics = [b"", public[:-1], public + b"\x00", bytes(len(public))]
    for bad in bad_publics:
        with pytest.raises(HpkeError):
            hpke.check_public_key(bad)
        with pytest.raises(HpkeError):
            hpke.sealer(b"")(bad, b"")
    for bad_enc in (b"", enc[:-1], enc + b"\x00", bytes(len(enc)), seeded.randbytes(len(enc))):
        with pytest.raises(HpkeError):
            hpke.open(private, b"info", bad_enc, ciphertext)
    for bad_ciphertext in (b"", ciphertext[:-1], ciphertext + b"\x00"):
        with pytest.raises(HpkeError):
            hpke.open(private, b"info", enc, bad_ciphertext)
    with pytest.raises(HpkeError):
        hpke.open(private, b"other", enc, ciphertext)
    with pytest.raises(HpkeError):
        hpke.check_key_pair(Secret(b"short"), public)
    other, _ = hpke.generate_key_pair(seeded.randbytes)
    with pytest.raises(HpkeError):
        hpke.check_key_pair(other, public)


def test_hkdf_expand_is_bounded() -> None:
    assert len(kdf.hkdf_expand(kdf.SHA256, bytes(32), b"", 255 * 32)) == 255 * 32
    with pytest.raises(ValueError, match="255"):
        kdf.hkdf_expand(kdf.SHA256, bytes(32), b"", 255 * 32 + 1)
