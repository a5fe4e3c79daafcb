"""Entries, configuration, typed entries and values: the bytes, both ways, and what is refused."""

from dataclasses import replace

import pytest

from blackthorn.directory import entries, records
from blackthorn.directory.commitment import Value, commit, decode_value, opening_for
from blackthorn.directory.config import check_successor, decode_config
from blackthorn.directory.entries import ConfigEntry, Head, Mutation, Record, decode_entry
from blackthorn.directory.fields import encode_map
from blackthorn.errors import VerificationError
from blackthorn.wire import limits
from blackthorn.wire.note import ED25519, VerifierKey
from tests.support.small_directory import SmallDirectory

A, B, C = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32
DIRECTIVE = {"case": "D-000001", "seq": 1, "commitment": A, "reveal": b"r" * 40}
RELEASE = {"name": "blackthorn", "version": "1.0", "digest": A}


def refused(rule, act, *arguments):
    with pytest.raises(VerificationError) as caught:
        act(*arguments)
    assert caught.value.rule == rule, caught.value


def test_every_entry_survives_its_bytes() -> None:
    for entry in (
        Mutation(1, A, 2, B),
        Head(3, 4, A, 5, 6, B),
        ConfigEntry(1, b"record"),
        Record(entries.RELEASE, 9, b"body"),
    ):
        assert decode_entry(entry.encode()) == entry
    assert len(Mutation(1, A, 2, B).encode()) == 77
    assert len(Head(3, 4, A, 5, 6, B).encode()) == 93


@pytest.mark.parametrize(
    "data", [b"", b"\x00" * 77, b"\x7f" + bytes(76), bytes(limits.MAX_LEDGER_ENTRY_BYTES + 1)]
)
def test_D1_an_entry_of_no_known_type(data) -> None:
    refused("D1", decode_entry, data)


@pytest.mark.parametrize("cut", [1, 8, 9, 76, 78])
def test_D2_an_entry_cut_short_or_too_long(cut) -> None:
    refused("D2", decode_entry, (Mutation(1, A, 2, B).encode() + b"x")[:cut])


def test_D2_a_head_or_record_without_its_end() -> None:
    refused("D2", decode_entry, Head(3, 4, A, 5, 6, B).encode()[:-1])
    refused("D2", decode_entry, ConfigEntry(1, b"").encode())


def test_the_configuration_survives_its_bytes() -> None:
    config = SmallDirectory().config
    assert decode_config(config.encode()) == config


@pytest.mark.parametrize(
    "change",
    [
        {"domain": "ACME.example"},
        {"domain": "acme"},
        {"vrf": bytes(31)},
        {"reset_delay_ms": -1},
        {"log": "nonsense"},
        {"origin": "another.example/ledger"},
        {"origin": "acme\x9b2J", "log": str(VerifierKey("acme\x9b2J", ED25519, A))},
        {"rules": "1"},
        {"more": 1},
        {"v": 2},
    ],
)
def test_D3_a_configuration_that_cannot_be(change) -> None:
    record = SmallDirectory().config.encode()
    from blackthorn.directory.fields import decode_map

    fields = decode_map(record, "D3", "it")
    refused("D3", decode_config, encode_map({**fields, **change}))
    refused("D3", decode_config, record[:-1])
    refused("D3", decode_config, b"\xff" * 99)


@pytest.mark.parametrize(
    "change",
    [
        {"vrf_key": A},
        {"reset_delay_ms": 0},
        {"rules": 0},
        {"enrolment": (A, bytes(1952))},
        {"domain": "evil.example"},
    ],
)
def test_D31_a_configuration_that_may_not_follow(change) -> None:
    old = SmallDirectory().config
    assert check_successor(old, replace(old, reset_delay_ms=old.reset_delay_ms + 1))
    refused("D31", check_successor, old, replace(old, **change))


def test_every_schema_has_a_body() -> None:
    examples = {
        entries.POLICY: {"name": "p", "number": 1, "digest": A, "approvers": [A, B]},
        entries.COMMAND: {
            "id": A,
            "target": B,
            "action": "wipe",
            "digest": C,
            "approvers": [A],
        },
        entries.DIRECTIVE: DIRECTIVE,
        entries.MARKET: {**DIRECTIVE, "case": "X-PK-1", "reveal": None},
        entries.OFFICE: {**DIRECTIVE, "case": "officers"},
        entries.RELEASE: RELEASE,
    }
    assert {kind for kind, _ in records.SCHEMAS} == set(examples) == entries.RECORD_KINDS
    for kind, fields in examples.items():
        body = records.encode_record(kind, fields)
        assert records.decode_record(kind, body) == {**fields, "v": 1}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (entries.RELEASE, {**RELEASE, "digest": A[:31]}),
        (entries.RELEASE, {**RELEASE, "name": ""}),
        (entries.RELEASE, {**RELEASE, "secret": 1}),
        (entries.RELEASE, {"name": "x"}),
        (entries.RELEASE, {**RELEASE, "version": 1}),
        (0x16, RELEASE),
        (
            entries.POLICY,
            {"name": "p", "number": 1, "digest": A, "approvers": [A, A]},
        ),
        (entries.POLICY, {"name": "p", "number": True, "digest": A, "approvers": [A]}),
        (entries.RELEASE, {**RELEASE, "digest": None}),
        (entries.DIRECTIVE, {**DIRECTIVE, "reveal": {}}),
        (entries.DIRECTIVE, {**DIRECTIVE, "reveal": b"r" * 32}),
        (entries.DIRECTIVE, {**DIRECTIVE, "reveal": bytes(15 * 1024 + 1)}),
        (entries.DIRECTIVE, {**DIRECTIVE, "seq": -1}),
        (entries.DIRECTIVE, {**DIRECTIVE, "case": "D" * 129}),
        (entries.DIRECTIVE, {**DIRECTIVE, "commitment": None}),
        (entries.DIRECTIVE, {**DIRECTIVE, "country": "XX"}),
        (entries.POLICY, {"name": "p", "number": 1, "digest": A, "approvers": [b"x"]}),
    ],
)
def test_D4_a_typed_entry_that_its_schema_refuses(kind, fields) -> None:
    refused("D4", records.encode_record, kind, fields)


def test_a_directive_may_reveal_nothing_yet() -> None:
    body = records.encode_record(entries.DIRECTIVE, {**DIRECTIVE, "reveal": None})
    assert records.decode_record(entries.DIRECTIVE, body)["reveal"] is None


def test_D4_an_unknown_version_or_other_bytes() -> None:
    refused("D4", records.decode_record, entries.RELEASE, encode_map({**RELEASE, "v": 2}))
    refused("D4", records.decode_record, entries.RELEASE, b"\xa1\x61v")
    twice = b"\xa2\x61v\x01\x61v\x01"
    refused("D4", records.decode_record, entries.RELEASE, twice)


def test_D5_a_value_that_cannot_be() -> None:
    good = Value(A, 1, 1).encode()
    assert decode_value(good) == Value(A, 1, 1)
    for data in (good[:-1], good + b"\x00", Value(A, 0, 0).encode(), Value(A, 1, 4).encode()):
        refused("D5", decode_value, data)


def test_a_commitment_is_the_hmac_of_all_that_it_binds() -> None:
    import hashlib
    import hmac

    key = bytes.fromhex("d821f8790d97709796b4d7903357c3f5")
    framed = b"\x07" * 16 + b"\x01a" + b"\x00\x00\x00\x05" + b"\x00\x00\x00\x02xy"
    expected = hmac.new(key, framed, hashlib.sha256).digest()
    assert commit(b"\x07" * 16, "a", 5, b"xy") == expected
    others = {
        commit(b"\x08" * 16, "a", 5, b"xy"),
        commit(b"\x07" * 16, "b", 5, b"xy"),
        commit(b"\x07" * 16, "a", 6, b"xy"),
        commit(b"\x07" * 16, "a", 5, b"xz"),
    }
    assert expected not in others and len(others) == 4


def test_an_opening_is_of_one_version_of_one_user() -> None:
    found = {opening_for(secret, index, version) for secret in (A, B) for index in (A, B)
             for version in (1, 2)}  # fmt: skip
    assert len(found) == 8 and {len(each) for each in found} == {16}
