"""Certificates in Autocrypt fields of opened mail."""

import os
from collections.abc import Iterator

import pytest

from blackthorn.crypto.openpgp import compatible
from blackthorn.crypto.secret import Secret
from blackthorn.device.mail import header_keys, limits, outside_keys
from blackthorn.ids import Address
from blackthorn.mail.pgp.autocrypt import autocrypt_field
from blackthorn.ports.outside.keys import Source
from blackthorn.storage.device.vault import Vault, VaultRecords

BEA, ME = Address("bea@out.example"), Address("me@acme.example")
NOW_MS = 1_900_000_000_000
CERTIFICATE = compatible.generate(BEA, 1_700_000_000, os.urandom)[1]
FIELD = b"Autocrypt: " + autocrypt_field(BEA, CERTIFICATE).encode() + b"\r\n"


@pytest.fixture
def records(tmp_path) -> Iterator[VaultRecords]:
    vault = Vault.open(tmp_path / "device.db", Secret(b"\x05" * 32), create=True)
    with vault.transaction() as found:
        yield found
    vault.close()


def learned(records: VaultRecords, head: bytes, mine: Address = ME) -> bool:
    header_keys.learn_from(records, head + b"\r\nhello\r\n", mine, NOW_MS)
    known = records.outside_keys.of(BEA)
    return known is not None and (known.source, known.certificate) == ("autocrypt", CERTIFICATE)


@pytest.mark.parametrize(
    "sender", [b"bea@out.example", b"Bea <BEA@out.example>", b'"Bea, of Out" <bea@out.example>']
)
def test_the_senders_own_is_learned(records, sender: bytes) -> None:
    assert learned(records, b"From: " + sender + b"\r\n" + FIELD)


@pytest.mark.parametrize(
    "head",
    [
        FIELD,
        b"From: eve@out.example\r\n" + FIELD,
        b"From: bea@out.example\r\n" + FIELD + FIELD,
        b"From: bea@out.example\r\nFrom: eve@out.example\r\n" + FIELD,
        b"From: bea@out.example, eve@out.example\r\n" + FIELD,
        b"From: eve@out.example <bea@out.example>, x\r\n" + FIELD,
        b"From: <bea@out.example> <eve@out.example>\r\n" + FIELD,
        b"From: bea@out.example\r\n",
        b"From: a" + b" " * 90_000 + b"bea@out.example\r\n" + FIELD,
        b"From: bea@out.example\r\n" + FIELD.replace(b"keydata=", b"keydata=AAAA"),
    ],
)
def test_what_is_not_surely_the_senders_says_nothing(records, head: bytes) -> None:
    assert not learned(records, head)


def test_nothing_is_learned_of_colleagues_or_beyond_the_bound(records, monkeypatch) -> None:
    head = b"From: bea@out.example\r\n" + FIELD
    assert not learned(records, head, Address("me@out.example"))
    outside_keys.learn(records, Address("carl@out.example"), Source.WKD, b"", NOW_MS)
    monkeypatch.setattr(limits, "MAX_HEADER_KEYS", 1)
    assert not learned(records, head)
