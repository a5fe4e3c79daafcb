"""Certificates of people outside: judged before anything is sealed to them."""

import os

import pysequoia
import pytest

from blackthorn.crypto.openpgp import compatible, packets
from blackthorn.crypto.openpgp.recipients import OtherAddressError, judge, seal_to_all
from blackthorn.crypto.openpgp_open import generate_user_key, unseal
from blackthorn.crypto.openpgp_seal import (
    CertificateError,
    ExpiredCertificateError,
    RevokedCertificateError,
)
from tests.support.certificates import unsealable

NOW = 1_900_000_000
KEY, CERTIFICATE = compatible.generate("bea@acme.example", 1_700_000_000, os.urandom)
PARTS = list(packets.packets(CERTIFICATE))


def rebuilt(parts: list[tuple[int, bytes]]) -> bytes:
    return b"".join(packets.packet(tag, body) for tag, body in parts)


def test_what_a_certificate_says_of_itself_is_read():
    ours = judge(generate_user_key("bea@acme.example")[1], "bea@acme.example", NOW)
    assert (ours.version, ours.post_quantum, ours.reads_v2) == (6, True, True)
    theirs = judge(CERTIFICATE, "bea@acme.example", NOW)
    assert (theirs.version, theirs.post_quantum, theirs.reads_v2) == (4, False, False)
    newer = pysequoia.Tsk.generate("Bea <BEA@acme.example>").extract_certificate()
    assert judge(bytes(newer), "bea@acme.example", NOW).reads_v2


def test_sealed_and_signed_by_either_kind_of_key_it_opens():
    for key, data in ((KEY, CERTIFICATE), generate_user_key("bea@acme.example")):
        certificate = judge(data, "bea@acme.example", NOW)
        for signer in (None, KEY, key):
            assert (
                unseal(seal_to_all(b"hello", [certificate], now=NOW, signer=signer), key)
                == b"hello"
            )


def test_a_certificate_without_features_gets_version_1():
    """pysequoia would write version 2, which Thunderbird shows as an empty mail."""
    key = pysequoia.Tsk.generate("bea@acme.example").extract_certificate()
    certificate = judge(bytes(key), "bea@acme.example", NOW)
    silent = judge(CERTIFICATE, "bea@acme.example", NOW)
    for each, version in ((certificate, 2), (silent, 1)):
        sealed = seal_to_all(b"x", [each], now=NOW)
        found = [
            p
            for p in pysequoia.packet.PacketPile.from_bytes(sealed)
            if "SEIP" in str(p.tag).upper()
        ]
        keys = [
            p
            for p in pysequoia.packet.PacketPile.from_bytes(sealed)
            if "PKESK" in str(p.tag).upper()
        ]
        assert len(keys) == 1  # the helper's is taken out again
        assert [p.body[0] for p in found] == [version]


def test_another_persons_certificate_is_refused():
    with pytest.raises(OtherAddressError):
        judge(CERTIFICATE, "eve@acme.example", NOW)


def test_a_user_id_that_the_certificate_has_not_signed_counts_for_nothing():
    """A server could put anybody's address into a certificate."""
    eve = (packets.USER_ID, b"eve@acme.example")
    added = rebuilt([*PARTS[:3], eve, *PARTS[3:]])
    with pytest.raises(OtherAddressError):
        judge(added, "eve@acme.example", NOW)
    replaced = rebuilt([eve if tag == packets.USER_ID else (tag, body) for tag, body in PARTS])
    with pytest.raises(CertificateError):
        judge(replaced, "eve@acme.example", NOW)


@pytest.mark.parametrize(
    ("user_id", "address"),
    [
        ("bea@acme.example <eve@acme.example>", "eve@acme.example"),
        ("Bea <BEA@Acme.Example>", "bea@acme.example"),
        ("<bea@acme.example> x", None),
        ("bea@acme.example, eve@acme.example", None),
    ],
)
def test_only_the_address_itself_counts(user_id, address):
    _, data = compatible.generate(user_id, 1_700_000_000, os.urandom)
    for asked in ("bea@acme.example", "eve@acme.example"):
        if asked == address:
            assert judge(data, asked, NOW).address == asked
        else:
            with pytest.raises(OtherAddressError):
                judge(data, asked, NOW)


def test_what_is_expired_revoked_or_unsealable_is_refused():
    expired = pysequoia.Tsk.generate("bea@acme.example", validity_seconds=60).extract_certificate()
    with pytest.raises(ExpiredCertificateError):
        judge(bytes(expired), "bea@acme.example", NOW)
    with pytest.raises(RevokedCertificateError):
        judge(compatible.revoke(KEY, 1_700_000_001), "bea@acme.example", NOW)
    with pytest.raises(CertificateError):
        judge(unsealable("bea@acme.example")[0], "bea@acme.example", NOW)


def test_several_certificates_are_split_each_with_its_packets():
    other = generate_user_key("bea@acme.example")[1]
    assert packets.split_certificates(CERTIFICATE + other, 2) == [CERTIFICATE, other]
    assert packets.split_certificates(b"", 2) == []
    for bad in (CERTIFICATE * 3, KEY.expose(), CERTIFICATE[:-1], CERTIFICATE[40:], b"\x00"):
        with pytest.raises(ValueError, match=r".+"):
            packets.split_certificates(bad, 2)
