"""What people compare: the same on both sides, another for another identity, nothing else."""

import random
import re
from collections import Counter

import pytest

from blackthorn.errors import DecodeError
from blackthorn.identity import limits
from blackthorn.identity.fingerprint import (
    Half,
    _slow_hash,
    compare_digits,
    compare_payload,
    encode_payload,
    half,
    parse_payload,
    short_code,
    sixty_digits,
)
from blackthorn.identity.statements import Cancel
from tests.support.identity_world import (
    ALICE,
    BOB,
    DELAY,
    Story,
    certificate_stated,
    device,
    refuses,
)

CAROL = "c+a/r'o&l=%@acme.example"


def alice() -> Story:
    """Alice with one device."""
    return Story(ALICE).begin(1)


def bob() -> Story:
    """Bob with one device."""
    return Story(BOB).begin(11)


def test_both_see_the_same_sixty_digits() -> None:
    one, other = alice().verified, bob().verified
    digits = sixty_digits(one, other)
    assert digits == sixty_digits(other, one)
    assert re.fullmatch(r"\d{5}( \d{5}){11}", digits)
    assert half(one).digits in digits.replace(" ", "")


def test_the_computation_stands_still() -> None:
    """Two programs of different years must show the same digits."""
    shown = Half(ALICE, bytes(range(32))).digits
    assert shown == "".join(
        f"{int.from_bytes(bytes(range(5 * g, 5 * g + 5)), 'big') % 100_000:05}" for g in range(6)
    )
    assert _slow_hash(ALICE, bytes(32), b"").hex() == (
        "7c1f45e26369d8b574bb43e923276f19fe9b7d170cd28cbf6b2a9ef8c9aaf2da"
    )


def test_they_do_not_change_with_devices_certificates_or_cancelled_resets() -> None:
    told, other = alice(), bob().verified
    before = sixty_digits(told.verified, other)
    told.add(2)
    told.tell(certificate_stated(), 2)
    told.reset(9)
    assert sixty_digits(told.verified, other) == before
    told.tell(Cancel(told.verified.seq), 1)
    told.wait(2 * DELAY)
    assert sixty_digits(told.verified, other) == before


def test_they_change_with_an_effective_reset_and_with_each_further_one() -> None:
    told, other = alice(), bob().verified
    seen = [sixty_digits(told.verified, other)]
    for number in (9, 10):
        told.reset(number).wait(DELAY)
        seen.append(sixty_digits(told.verified, other))
        told.tell(certificate_stated(), number)
        assert sixty_digits(told.verified, other) == seen[-1]
    assert len(set(seen)) == 3


def test_another_chain_of_the_same_label_shows_another_half() -> None:
    assert half(alice().verified) != half(Story(ALICE).begin(2).verified)


def test_the_same_device_under_another_label_shows_another_half() -> None:
    assert half(alice().verified).digits != half(Story(BOB).begin(1).verified).digits


def test_typed_digits() -> None:
    one, other = alice().verified, bob().verified
    digits = sixty_digits(one, other)
    for typed in (digits, digits.replace(" ", ""), digits.replace(" ", "\n-")):
        assert compare_digits(typed, one, other) is other


def test_I45_digits_that_differ() -> None:
    one, other = alice().verified, bob().verified
    digits = sixty_digits(one, other)
    last = str((int(digits[-1]) + 1) % 10)
    for typed in (digits[:-1] + last, digits[::-1]):
        with refuses("I45"):
            compare_digits(typed, one, other)


@pytest.mark.parametrize("typed", ["", "x", "1" * 59, "1" * 61, "\u0661" * 60])
def test_another_number_of_digits_is_a_typing_mistake(typed: str) -> None:
    with pytest.raises(DecodeError, match="not 60: type all of them again"):
        compare_digits(typed, alice().verified, bob().verified)


def test_a_code_is_scanned_by_the_other_side() -> None:
    one, other = alice().verified, bob().verified
    shown = encode_payload(other, one)
    assert shown.startswith("blackthorn:verify?")
    assert compare_payload(shown, one, other) is other
    payload = parse_payload(shown)
    assert (payload.shows, payload.to) == (half(other), half(one))


def test_a_code_bears_strange_addresses() -> None:
    one, other = alice().verified, Story(CAROL).begin(11).verified
    assert compare_payload(encode_payload(other, one), one, other) is other


def test_I45_either_half_differs() -> None:
    one, other = alice().verified, bob().verified
    ghost = Story(BOB).begin(66).verified
    false_me = Story(ALICE).begin(66).verified
    for shown in (
        encode_payload(ghost, one),
        encode_payload(other, false_me),
        encode_payload(one, other),
        encode_payload(other, other),
        encode_payload(Story(CAROL).begin(11).verified, one),
    ):
        with refuses("I45"):
            compare_payload(shown, one, other)


SHOWN = encode_payload(Story(BOB).begin(11).verified, Story(ALICE).begin(1).verified)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "blackthorn:verify?",
        "blackthorn:verify",
        "https://acme.example/?" + SHOWN.partition("?")[2],
        SHOWN[:-1],
        SHOWN + "0",
        SHOWN + "&x=1",
        SHOWN + "&v=1",
        SHOWN.replace("v=1", "v=2"),
        SHOWN.replace("v=1&", ""),
        SHOWN.replace("shows", "showz"),
        SHOWN.replace("bob", "BOB"),
        SHOWN.replace("%40", "@@"),
        SHOWN.replace("%40acme", "%40%00acme"),
        SHOWN.replace("%40", "%FF"),
        SHOWN.upper(),
        " " + SHOWN,
        SHOWN + " " * 2000,
        "&".join(reversed(SHOWN.split("&"))),
        SHOWN.replace("blackthorn:", "blackthorn;"),
        SHOWN[:-64] + SHOWN[-64:].upper(),
        SHOWN[:-64] + "+" + SHOWN[-63:],
        SHOWN.replace("bob", "".join(f"%{letter:02x}" for letter in b"b" * 400)),
    ],
)
def test_I44_no_code_for_comparing(text: str) -> None:
    with refuses("I44"):
        parse_payload(text)


def test_the_longest_addresses_fit_a_code() -> None:
    longest = "!" * 64 + "@" + ".".join(["a" * 63, "b" * 63, "c" * 61])
    one, other = Story(longest).begin(1).verified, Story(longest[1:]).begin(11).verified
    shown = encode_payload(other, one)
    assert len(shown) <= limits.MAX_VERIFY_PAYLOAD_CHARACTERS
    assert compare_payload(shown, one, other) is other


def test_I44_a_sound_code_that_is_too_long() -> None:
    spelled = SHOWN
    for name in (BOB, ALICE):
        letters = name.replace("@", "%40")
        spelled = spelled.replace(letters, "".join(f"%{byte:02x}" for byte in name.encode()))
    assert parse_payload(spelled) == parse_payload(SHOWN)
    long = "x" * 64 + "@" + ".".join(["a" * 63, "b" * 63, "c" * 61])
    letters = "".join(f"%{byte:02x}" for byte in long.encode())
    sound = SHOWN.replace("alice%40acme.example", letters).replace("bob%40acme.example", letters)
    with refuses("I44"):
        parse_payload(sound)


def test_short_codes_have_six_digits_and_depend_on_all_that_was_said() -> None:
    seeded = random.Random(1)
    codes = [short_code(seeded.randbytes(40)) for _ in range(2000)]
    assert all(re.fullmatch(r"\d{6}", code) for code in codes)
    assert len(set(codes)) > 1980
    first = Counter(code[0] for code in codes)
    assert min(first.values()) > 120
    assert short_code(b"a") == short_code(b"a") != short_code(b"b")


def test_a_device_is_not_what_is_compared() -> None:
    told = alice()
    assert device(1).id.hex() not in encode_payload(told.verified, bob().verified)
