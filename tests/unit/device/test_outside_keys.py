"""Certificates of people outside: pinned at first sight, and changed by the person alone."""

import os
from collections.abc import Iterator

import pytest

from blackthorn.crypto.openpgp import compatible
from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.secret import Secret
from blackthorn.device.mail import limits, outside_keys
from blackthorn.device.mail.recipient_keys import ChangedCertificateError, recipient_key
from blackthorn.errors import UserError
from blackthorn.ids import Address
from blackthorn.ports.outside.keys import Source
from blackthorn.storage.device.vault import Vault, VaultRecords

BEA = Address("bea@out.example")
MADE = 1_700_000_000
NOW_MS = 1_900_000_000_000
DAY_MS = limits.LOOKUP_FRESH_SECONDS * 1000
KEY, FIRST = compatible.generate(BEA, MADE, os.urandom)
SECOND = compatible.generate(BEA, MADE + 1, os.urandom)[1]
EVES = compatible.generate("eve@out.example", MADE, os.urandom)[1]


@pytest.fixture
def records(tmp_path) -> Iterator[VaultRecords]:
    vault = Vault.open(tmp_path / "device.db", Secret(b"\x05" * 32), create=True)
    with vault.transaction() as found:
        yield found
    vault.close()


def pinned(records: VaultRecords) -> bytes:
    key = recipient_key(records, BEA, NOW_MS)
    assert key is not None
    return key.data


def test_the_first_good_one_is_pinned(records):
    assert recipient_key(records, BEA, NOW_MS) is None
    outside_keys.learn(records, BEA, Source.WKD, EVES + FIRST, NOW_MS)
    assert pinned(records) == FIRST
    assert records.outside_keys.of(BEA).source == Source.WKD


@pytest.mark.parametrize("answer", [b"", b"junk", EVES, KEY.expose(), FIRST[:-1], FIRST * 9])
def test_what_is_not_good_counts_as_none_and_is_remembered(records, answer):
    outside_keys.learn(records, BEA, Source.WKD, answer, NOW_MS)
    assert recipient_key(records, BEA, NOW_MS) is None
    assert not outside_keys.is_due(records, BEA, NOW_MS + DAY_MS - 1)
    assert outside_keys.is_due(records, BEA, NOW_MS + DAY_MS)
    assert outside_keys.is_due(records, BEA, NOW_MS - 1)  # the clock was set back


def test_another_one_of_the_domain_stops_mail_until_the_person_accepts_it(records):
    outside_keys.learn(records, BEA, Source.WKD, FIRST, NOW_MS)
    outside_keys.learn(records, BEA, Source.WKD, SECOND, NOW_MS)
    with pytest.raises(ChangedCertificateError, match="mail keys accept"):
        recipient_key(records, BEA, NOW_MS)
    outside_keys.accept(records, BEA, NOW_MS)
    assert pinned(records) == SECOND
    with pytest.raises(UserError):
        outside_keys.accept(records, BEA, NOW_MS)


def test_the_pinned_one_among_several_is_no_change(records):
    outside_keys.learn(records, BEA, Source.WKD, FIRST, NOW_MS)
    outside_keys.learn(records, BEA, Source.WKD, SECOND + FIRST, NOW_MS)
    assert pinned(records) == FIRST


def test_post_quantum_is_pinned_first(records):
    newest = generate_user_key(BEA)[1]
    outside_keys.learn(records, BEA, Source.WKD, SECOND + newest + FIRST, NOW_MS)
    assert pinned(records) == newest


def test_a_header_never_replaces_what_the_domain_said_and_is_replaced_by_it(records):
    outside_keys.learn(records, BEA, Source.AUTOCRYPT, FIRST, NOW_MS)
    assert pinned(records) == FIRST
    assert outside_keys.is_due(records, BEA, NOW_MS)
    outside_keys.learn(records, BEA, Source.WKD, SECOND, NOW_MS)
    assert pinned(records) == SECOND
    outside_keys.learn(records, BEA, Source.AUTOCRYPT, FIRST, NOW_MS)
    assert pinned(records) == SECOND and not records.outside_keys.of(BEA).offered


def test_another_header_is_shown_and_stops_nothing(records):
    """Forging a sender is enough to send one: it must not stop mail either."""
    outside_keys.learn(records, BEA, Source.AUTOCRYPT, FIRST, NOW_MS)
    outside_keys.learn(records, BEA, Source.AUTOCRYPT, SECOND, NOW_MS)
    assert pinned(records) == FIRST and records.outside_keys.of(BEA).offered == SECOND


def test_a_revocation_is_taken_and_cannot_be_taken_back(records):
    outside_keys.learn(records, BEA, Source.WKD, FIRST, NOW_MS)
    outside_keys.learn(records, BEA, Source.WKD, compatible.revoke(KEY, MADE + 2), NOW_MS)
    outside_keys.learn(records, BEA, Source.WKD, FIRST, NOW_MS)
    with pytest.raises(UserError, match="revoked"):
        recipient_key(records, BEA, NOW_MS)
    with pytest.raises(UserError, match="revoked"):
        outside_keys.add(records, BEA, outside_keys.judge_file(FIRST, BEA, NOW_MS), NOW_MS)
    outside_keys.forget(records, BEA)
    assert recipient_key(records, BEA, NOW_MS) is None
    with pytest.raises(UserError):
        outside_keys.forget(records, BEA)


def test_misses_are_remembered_within_a_bound(records, monkeypatch):
    monkeypatch.setattr(limits, "MAX_OUTSIDE_MISSES", 3)
    outside_keys.learn(records, BEA, Source.WKD, FIRST, NOW_MS)
    for number in range(5):
        address = Address(f"nobody{number}@out.example")
        outside_keys.learn(records, address, Source.WKD, b"", NOW_MS + number)
    known = [record.address for record in records.outside_keys.all()]
    assert known == [BEA, *(f"nobody{number}@out.example" for number in (2, 3, 4))]
