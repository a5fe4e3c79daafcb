"""Packets of OpenPGP: what is written is read, and any other bytes raise one kind of error."""

import os
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from blackthorn.crypto.openpgp import compatible, packets
from blackthorn.crypto.openpgp.recipients import judge
from blackthorn.crypto.openpgp_open import generate_user_key, unseal
from blackthorn.crypto.openpgp_seal import CertificateError, parse_certificate, seal
from blackthorn.crypto.openpgp_verify import verify_detached
from blackthorn.crypto.secret import Secret

BEA = "bea@out.example"
NOW = 1_900_000_000
KEY, CERTIFICATE = compatible.generate(BEA, 1_700_000_000, os.urandom)
PARTS = [*packets.packets(CERTIFICATE)]
OTHERS = generate_user_key(BEA)[1]


@given(st.lists(st.tuples(st.integers(0, 63), st.binary(max_size=9_000)), max_size=5))
def test_packets_come_back_with_any_length(parts):
    data = b"".join(packets.packet(tag, body) for tag, body in parts)
    assert list(packets.packets(data)) == parts


@given(st.lists(st.tuples(st.integers(0, 127), st.binary(max_size=190)), max_size=5))
def test_subpackets_come_back(fields):
    data = b"".join(packets.subpacket(kind, body) for kind, body in fields)
    assert [(kind, data[a:b]) for kind, a, b in packets.subpackets(data)] == fields


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_a_value_error(data):
    for read in (
        lambda: list(packets.packets(data)),
        lambda: list(packets.subpackets(data)),
        lambda: packets.split_certificates(data, 3),
        lambda: compatible.encryption_key_id(data),
        lambda: compatible.sign(b"", Secret(data)),
    ):
        with suppress(ValueError):
            read()


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.binary())
def test_a_key_of_any_seeds_seals_opens_and_signs(seed, scalar, message):
    given_bytes = iter((seed, scalar))
    key, certificate = compatible.generate(BEA, 1_700_000_000, lambda size: next(given_bytes))
    parsed = parse_certificate(certificate)
    assert unseal(seal(message, parsed, now=NOW), key) == message
    verify_detached(parsed, compatible.sign(message, key), message)
    again = compatible.revoke(key, 1_700_000_001)
    assert parse_certificate(again).fingerprint == parsed.fingerprint


@given(st.integers(0, len(CERTIFICATE) - 1), st.integers(1, 255))
def test_an_altered_certificate_is_refused_or_means_the_same(place, change):
    """What is not covered by a signature changes neither whose it is nor what is sealed to."""
    altered = bytearray(CERTIFICATE)
    altered[place] ^= change
    with suppress(CertificateError):
        found = judge(bytes(altered), BEA, NOW)
        assert found.fingerprint == parse_certificate(CERTIFICATE).fingerprint
        assert unseal(seal(b"x", parse_certificate(bytes(altered)), now=NOW), KEY) == b"x"


@given(st.permutations([CERTIFICATE, OTHERS, CERTIFICATE]), st.binary(max_size=20))
def test_an_answer_of_several_is_split_at_each_whatever_follows(answer, behind):
    joined = b"".join(answer)
    assert packets.split_certificates(joined, 3) == answer
    with suppress(ValueError):
        found = packets.split_certificates(joined + behind, 8)
        assert b"".join(found) == joined + behind
        assert found[:2] == answer[:2]
