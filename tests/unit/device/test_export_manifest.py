"""The manifest's signature and the exported chain: only what the device signed passes."""

import json
import random
from dataclasses import replace

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackthorn.device.export import limits
from blackthorn.device.export.export import build
from blackthorn.device.export.manifest import (
    decode_chain,
    decode_manifest,
    signed,
    verify_signature,
)
from blackthorn.errors import DecodeError, SecurityError
from blackthorn.identity.keys import SigningKeys
from tests.support import runs
from tests.support.export_world import Memory, ordinary

PERSON = ordinary()
MEMORY = Memory()
build(PERSON, MEMORY)
FILES = MEMORY.files
MANIFEST, SIGNATURE = FILES["manifest.json"], FILES["manifest.sig"]
CHAIN = FILES["identity-chain.cbor"]
many = settings(max_examples=runs.many(150), deadline=None, print_blob=True)


def flipped(data: bytes, bit: int) -> bytes:
    place = bit % (8 * len(data))
    changed = bytearray(data)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def test_what_was_signed_verifies() -> None:
    assert verify_signature(MANIFEST, SIGNATURE, decode_chain(CHAIN)) == "laptop"


@many
@given(st.integers(0, 2**30))
def test_no_bit_of_the_manifest_may_change(bit: int) -> None:
    with pytest.raises(SecurityError):
        verify_signature(flipped(MANIFEST, bit), SIGNATURE, decode_chain(CHAIN))


@many
@given(st.integers(0, 2**30))
def test_no_bit_of_the_signature_may_change(bit: int) -> None:
    with pytest.raises(SecurityError):
        verify_signature(MANIFEST, flipped(SIGNATURE, bit), decode_chain(CHAIN))


@many
@given(st.binary(max_size=100))
def test_any_bytes_are_no_signature(data: bytes) -> None:
    with pytest.raises(SecurityError):
        verify_signature(MANIFEST, data, decode_chain(CHAIN))


def test_a_device_of_nobody_does_not_sign() -> None:
    other = SigningKeys.generate(random.Random(9).randbytes)
    with pytest.raises(SecurityError, match="no live device"):
        verify_signature(MANIFEST, signed(MANIFEST, other), decode_chain(CHAIN))


def test_each_half_of_the_signature_counts() -> None:
    other = json.loads(signed(b"another manifest", PERSON.signing))
    for half in ("ed25519_signature", "ml_dsa_signature"):
        mixed = json.loads(SIGNATURE) | {half: other[half]}
        data = (json.dumps(mixed, indent=1) + "\n").encode()
        with pytest.raises(SecurityError, match="was changed after signing"):
            verify_signature(MANIFEST, data, decode_chain(CHAIN))


@many
@given(st.one_of(st.binary(max_size=200), st.integers(0, 2**30)))
def test_a_chain_is_read_whole_or_refused(change: bytes | int) -> None:
    data = change if isinstance(change, bytes) else flipped(CHAIN, change)
    try:
        chain = decode_chain(data)
    except SecurityError:
        return
    # The terms' times are not signed; whoever changes them has changed a hash of the manifest.
    assert [each.name for each in chain.devices] == ["laptop"]


@pytest.mark.parametrize(
    "change",
    [
        {"format": "blackthorn-identity-chain-v2"},
        {"statements": [b"x"]},
        {"statements": []},
        {"enrolment": [b"x"]},
        {"enrolment": [b"x", b"y"]},
        {"logged": {"a": 1}},
        {"address": "bob@acme.example"},
        {"more": 1},
    ],
)
def test_a_chain_with_a_wrong_field_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(SecurityError):
        decode_chain(cbor2.dumps(cbor2.loads(CHAIN) | change))


def test_a_chain_larger_than_the_bound_is_refused() -> None:
    with pytest.raises(SecurityError, match="too large"):
        decode_chain(bytes(limits.MAX_EXPORT_CHAIN_BYTES + 1))


@many
@given(st.binary(max_size=200))
def test_any_bytes_are_no_manifest(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_manifest(data)


def test_a_later_format_is_refused_and_not_guessed() -> None:
    later = MANIFEST.replace(b"blackthorn-export-v1", b"blackthorn-export-v2")
    with pytest.raises(DecodeError, match="not known here"):
        decode_manifest(later)


def test_the_chain_of_another_does_not_verify() -> None:
    other = replace(ordinary(), signing=SigningKeys.generate(random.Random(5).randbytes))
    with pytest.raises(SecurityError, match="no live device"):
        verify_signature(MANIFEST, SIGNATURE, decode_chain(other.chain))
