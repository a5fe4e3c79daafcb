"""The two sides of a pairing, honest and attacked, over the pure machines."""

import random as seeded
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.identity.fingerprint import short_code
from blackthorn.ids import Address, Fingerprint
from blackthorn.link import limits
from blackthorn.link.activation.code import Code
from blackthorn.link.frames import JoinPairing, OpenPairing, Paired, Relay
from blackthorn.link.pairing import exchange
from blackthorn.link.pairing.channel import AlteredError, Channel, WrongCodeError
from blackthorn.link.pairing.exchange import BurntError, Comparison, Offer
from blackthorn.link.pairing.messages import Batch, Commitment, Confirmed, Draft, Greeting, Reveal
from tests.support import runs

SERVER = Fingerprint(b"\x11" * 32)
MIDDLE = Fingerprint(b"\x66" * 32)
CODE = Code("4821", Secret(bytes(range(8))))
WRONG = Code("4821", Secret(bytes(range(1, 9))))
ALICE = Address("alice@acme.example")
DEVICE = b"the new device's keys"
Random = Callable[[int], bytes]


@pytest.fixture
def random() -> Random:
    seed = runs.seed()
    return seeded.Random(seed).randbytes


@dataclass
class Talk:
    """An honest talk up to the digits, and all that went over the wire."""

    live: Comparison
    new: Comparison
    wire: tuple[OpenPairing, JoinPairing, Relay, Relay, Relay]


def talk(random: Random, code: Code = CODE) -> Talk:
    opened, live = Offer(CODE, SERVER, ALICE).open(random)
    joined, new = exchange.join(code, SERVER, random)
    first, greeted = new.paired(Paired(opened.message), DEVICE, random)
    second, revealed = live.paired(Paired(joined.message)).open(first, random)
    third, new_side = greeted.open(second)
    return Talk(revealed.open(third), new_side, (opened, joined, first, second, third))


def test_both_sides_prove_the_code_and_show_the_same_digits(random: Random) -> None:
    done = talk(random)
    assert done.live.digest == done.new.digest
    assert short_code(done.live.digest).isdigit() and len(short_code(done.live.digest)) == 6
    assert (done.live.address, done.live.device) == (ALICE, DEVICE)
    assert done.new.address == ALICE
    live, new = done.live.channel, done.new.channel
    for said in (Draft(b"statement"), Batch("history", [b"a", b"b"], 3)):
        assert new.open(live.seal(said)) == said
        assert live.open(new.seal(said)) == said


def test_digits_differ_from_one_pairing_to_the_next(random: Random) -> None:
    assert len({talk(random).live.digest for _ in range(8)}) == 8


def test_a_wrong_code_tells_the_live_device_and_gets_nothing_from_it(random: Random) -> None:
    opened, live = Offer(CODE, SERVER, ALICE).open(random)
    joined, new = exchange.join(WRONG, SERVER, random)
    first, _ = new.paired(Paired(opened.message), DEVICE, random)
    with pytest.raises(WrongCodeError):
        live.paired(Paired(joined.message)).open(first, random)


def test_who_plays_the_live_device_without_the_code_hears_no_device(random: Random) -> None:
    opened, live = Offer(WRONG, SERVER, ALICE).open(random)
    joined, new = exchange.join(CODE, SERVER, random)
    first, greeted = new.paired(Paired(opened.message), DEVICE, random)
    assert DEVICE not in first.data
    live.paired(Paired(joined.message))
    channel = Channel(bytes(32), Secret(bytes(32)), live=True)
    with pytest.raises(WrongCodeError):
        greeted.open(channel.prove(Greeting(bytes(32), ALICE)))


def test_a_server_with_another_key_between_them_is_noticed(random: Random) -> None:
    opened, live = Offer(CODE, SERVER, ALICE).open(random)
    joined, new = exchange.join(CODE, MIDDLE, random)
    first, _ = new.paired(Paired(opened.message), DEVICE, random)
    with pytest.raises(WrongCodeError):
        live.paired(Paired(joined.message)).open(first, random)


def test_another_number_is_another_code(random: Random) -> None:
    opened, live = Offer(CODE, SERVER, ALICE).open(random)
    joined, new = exchange.join(Code("4822", CODE.secret), SERVER, random)
    first, _ = new.paired(Paired(opened.message), DEVICE, random)
    with pytest.raises(WrongCodeError):
        live.paired(Paired(joined.message)).open(first, random)


@pytest.mark.parametrize("message", [b"", b"x", bytes(33), b"A" * 33, b"B" + bytes(32), b"x" * 64])
def test_what_is_no_spake_message_is_a_wrong_code(random: Random, message: bytes) -> None:
    _, live = Offer(CODE, SERVER, ALICE).open(random)
    _, new = exchange.join(CODE, SERVER, random)
    with pytest.raises(WrongCodeError):
        live.paired(Paired(message)).open(Relay(bytes(100)), random)
    with pytest.raises(WrongCodeError):
        new.paired(Paired(message), DEVICE, random)[1].open(Relay(bytes(100)))


def test_a_message_sent_back_to_its_speaker_is_refused(random: Random) -> None:
    """Roles stand in the keys: what a side said cannot be given to it as the other's."""
    opened, _ = Offer(CODE, SERVER, ALICE).open(random)
    joined, new = exchange.join(CODE, SERVER, random)
    first, greeted = new.paired(Paired(opened.message), DEVICE, random)
    with pytest.raises(WrongCodeError):
        greeted.open(first)
    with pytest.raises(WrongCodeError):
        exchange.join(CODE, SERVER, random)[1].paired(Paired(joined.message), DEVICE, random)


def test_messages_of_one_pairing_are_worth_nothing_in_another(random: Random) -> None:
    before = talk(random)
    opened, live = Offer(CODE, SERVER, ALICE).open(random)
    awaiting = live.paired(Paired(before.wire[1].message))
    with pytest.raises(WrongCodeError):
        awaiting.open(before.wire[2], random)
    _, new = exchange.join(CODE, SERVER, random)
    _, greeted = new.paired(Paired(before.wire[0].message), DEVICE, random)
    with pytest.raises(WrongCodeError):
        greeted.open(before.wire[3])
    assert opened.message != before.wire[0].message


@pytest.mark.parametrize("side", ["live", "new"])
@pytest.mark.parametrize("attack", ["repeat", "reorder", "drop", "alter", "shorten", "reflect"])
def test_after_the_digits_nothing_but_the_next_message_opens(
    random: Random, side: str, attack: str
) -> None:
    done = talk(random)
    speaks, hears = done.live.channel, done.new.channel
    if side == "new":
        speaks, hears = hears, speaks
    one, two = speaks.seal(Confirmed()), speaks.seal(Draft(b"statement"))
    if attack == "repeat":
        hears.open(one)
        wrong = one
    elif attack in ("reorder", "drop"):
        wrong = two
    elif attack == "alter":
        wrong = Relay(one.data[:-1] + bytes([one.data[-1] ^ 1]))
    elif attack == "shorten":
        wrong = Relay(one.data[:-1])
    else:
        wrong = hears.seal(Confirmed())
    with pytest.raises(AlteredError):
        hears.open(wrong)
    for each in (one, two):
        with pytest.raises(AlteredError):
            hears.open(each)


def test_any_bytes_in_any_place_raise_one_of_two_errors(random: Random) -> None:
    for _ in range(300):
        opened, live = Offer(CODE, SERVER, ALICE).open(random)
        joined, new = exchange.join(CODE, SERVER, random)
        first, greeted = new.paired(Paired(opened.message), DEVICE, random)
        data = bytearray(first.data)
        place = int.from_bytes(random(2), "big") % len(data)
        data[place] ^= 1 + random(1)[0] % 255
        with pytest.raises((WrongCodeError, AlteredError)):
            live.paired(Paired(joined.message)).open(Relay(bytes(data)), random)
        with pytest.raises((WrongCodeError, AlteredError)):
            greeted.open(Relay(random(1 + place)))


def test_a_device_that_was_not_promised_is_refused(random: Random) -> None:
    """Who has the code and stands between must fix his device before he sees the other's nonce."""
    opened, live = Offer(CODE, SERVER, ALICE).open(random)
    joined, new = exchange.join(CODE, SERVER, random)
    first, greeted = new.paired(Paired(opened.message), DEVICE, random)
    second, revealed = live.paired(Paired(joined.message)).open(first, random)
    _, compared = greeted.open(second)
    other = replace(compared, digest=b"")
    other.channel._sealed = 1
    with pytest.raises(AlteredError):
        revealed.open(other.channel.seal(Reveal(random(32), b"another device")))


def test_who_knows_the_code_and_stands_between_shows_other_digits(random: Random) -> None:
    opened, live = Offer(CODE, SERVER, ALICE).open(random)
    joined, new = exchange.join(CODE, SERVER, random)
    evil_opened, evil_live = Offer(CODE, SERVER, ALICE).open(random)
    evil_joined, evil_new = exchange.join(CODE, SERVER, random)

    first, new_greeted = new.paired(Paired(evil_opened.message), DEVICE, random)
    evil_second, evil_revealed = evil_live.paired(Paired(joined.message)).open(first, random)
    third, seen_by_new = new_greeted.open(evil_second)
    evil_revealed.open(third)

    evil_first, evil_greeted = evil_new.paired(Paired(opened.message), b"evil device", random)
    second, revealed = live.paired(Paired(evil_joined.message)).open(evil_first, random)
    evil_third, _ = evil_greeted.open(second)
    seen_by_live = revealed.open(evil_third)
    assert seen_by_live.digest != seen_by_new.digest


def test_a_first_message_of_the_wrong_kind_is_refused(random: Random) -> None:
    opened, live = Offer(CODE, SERVER, ALICE).open(random)
    joined, new = exchange.join(CODE, SERVER, random)
    _, greeted = new.paired(Paired(opened.message), DEVICE, random)
    channel = greeted._channel
    channel._sealed = 0
    with pytest.raises(AlteredError):
        live.paired(Paired(joined.message)).open(channel.prove(Confirmed()), random)


def test_an_address_that_is_none_is_refused(random: Random) -> None:
    opened, live = Offer(CODE, SERVER, Address("no address")).open(random)
    joined, new = exchange.join(CODE, SERVER, random)
    first, greeted = new.paired(Paired(opened.message), DEVICE, random)
    second, _ = live.paired(Paired(joined.message)).open(first, random)
    with pytest.raises(AlteredError):
        greeted.open(second)


def test_three_wrong_tries_burn_the_code(random: Random) -> None:
    offer = Offer(CODE, SERVER, ALICE)
    messages = set()
    for _ in range(limits.PAIRING_TRIES - 1):
        messages.add(offer.open(random)[0].message)
        offer = offer.tried()
    with pytest.raises(BurntError):
        offer.tried()
    assert len(messages) == limits.PAIRING_TRIES - 1, "each try is made of fresh randomness"


def test_nothing_secret_prints(random: Random) -> None:
    done = talk(random)
    shown = repr((Offer(CODE, SERVER, ALICE), done.live, done.new, Commitment(bytes(32))))
    assert CODE.secret.expose().hex() not in shown and "\\x00\\x01\\x02\\x03" not in shown
