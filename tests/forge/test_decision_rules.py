"""Every numbered rule of decisions, broken by a forged one that breaks nothing else."""

import re
from dataclasses import replace
from pathlib import Path

import cbor2
import pytest

from blackthorn.directory import entries
from blackthorn.directory.records import encode_record
from blackthorn.errors import VerificationError
from blackthorn.governance.register import Register, entry
from blackthorn.governance.rules import RULES
from blackthorn.governance.statements import (
    Approval,
    Signed,
    Statement,
    approve,
    decode,
    open_entry,
    open_private,
    private_hash,
    seal_private,
)
from blackthorn.identity.keys import Signature, SigningKeys
from tests.support.governance_world import World
from tests.support.walks import DAY, directive, directive_fields, leaving

SALT = bytes(32)


def refuses(rule: str):
    """A block that raises this rule and no other."""
    return pytest.raises(VerificationError, match=re.escape(f"[{rule}]"))


def signed(world: World, statement: Statement, *names: str) -> Signed:
    made = Signed(statement, ())
    for name in names:
        made = approve(made, name, world.now_ms, world._device_keys[name])
    return made


def some() -> tuple[World, Signed]:
    """A `receive` that is good, not taken."""
    world = World()
    kept = seal_private({"accounts": ["p@acme.example"]}, world.chance.randbytes)
    public = directive_fields(world)["receive"]
    statement = Statement("D-000001", 1, bytes(32), "receive", public, private_hash(kept))
    return world, signed(world, statement, "O-00000003")


def test_a_good_one_is_taken() -> None:
    world, good = some()
    assert decode(good.encode()) == good
    assert world.cases.take(good, world.now_ms).state == "received"


@pytest.mark.parametrize(
    "forge",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: b"\x82" + data[1:].replace(b"D-000001", b"D-00001x"),
        lambda data: cbor2.dumps([b"\xa0", []]),
        lambda data: cbor2.dumps([cbor2.loads(data)[0], [["O-00000003", -1, bytes(64), bytes(9)]]]),
        lambda data: cbor2.dumps(cbor2.CBORTag(1, 1)),
        lambda data: bytes(64 * 1024),
    ],
)
def test_G1_another_encoding(forge) -> None:
    _, good = some()
    with refuses("G1"):
        decode(forge(good.encode()))


def test_G1_every_cut_and_flip_is_refused_or_unsigned() -> None:
    world, good = some()
    data = good.encode()
    for place in range(0, len(data), 7):
        flipped = bytearray(data)
        flipped[place] ^= 1
        with pytest.raises(VerificationError):
            world.cases.check(decode(bytes(flipped)), world.now_ms)


def test_G2_out_of_order_or_behind_another() -> None:
    world, good = some()
    for wrong in (replace(good.statement, seq=2), replace(good.statement, prev=b"\1" * 32)):
        with refuses("G2"):
            world.cases.check(signed(world, wrong, "O-00000003"), world.now_ms)
    world.cases.take(good, world.now_ms)
    with refuses("G2"):  # a replay
        world.cases.take(good, world.now_ms)


@pytest.mark.parametrize(
    "change",
    [
        {"all_users": 1},
        {"country": None},
        {"kind": "keyword"},
        {"accounts": 26},
        {"accounts": -1},
        {"categories": ["everything"]},
        {"categories": ["sealed-mail", "sealed-mail"]},
        {"document": b"short"},
        {"authority": "a" * 129},
        {"authority": "\x1b[31m"},
        {"country": "pk"},
        {"received_ms": 2**53},
        {"received_ms": True},
    ],
)
def test_G3_another_field_or_beyond_its_bounds(change) -> None:
    world, good = some()
    public = {**good.statement.public, **change}
    with refuses("G3"):
        world.cases.check(
            signed(world, replace(good.statement, public=public), "O-00000003"), world.now_ms
        )


def test_G3_an_action_that_no_table_has() -> None:
    world, good = some()
    with refuses("G3"):
        world.cases.check(Signed(replace(good.statement, action="monitor"), ()), world.now_ms)


def test_G4_no_way_from_here() -> None:
    walk = directive().to("refused")
    with refuses("G4"):
        walk.take("approve")


def test_G5_nobody_or_a_false_signature() -> None:
    world, good = some()
    stranger = SigningKeys.generate(world.chance.randbytes)
    with refuses("G5"):
        made = approve(Signed(good.statement, ()), "O-0000ffff", world.now_ms, stranger)
        world.cases.check(made, world.now_ms)
    with refuses("G5"):
        made = approve(Signed(good.statement, ()), "O-00000003", world.now_ms, stranger)
        world.cases.check(made, world.now_ms)
    (mine,) = good.approvals
    for signature in (
        Signature(bytes(64), mine.signature.ml_dsa),
        Signature(mine.signature.ed25519, bytes(3309)),
    ):
        with refuses("G5"):
            forged = Signed(good.statement, (Approval(mine.officer, mine.at_ms, signature),))
            world.cases.check(forged, world.now_ms)
    with refuses("G5"):  # an approval of another time
        forged = Signed(good.statement, (replace(mine, at_ms=mine.at_ms + 1),))
        world.cases.check(forged, world.now_ms)
    with refuses("G5"):  # an approval of another statement
        other = replace(good.statement, public={**good.statement.public, "accounts": 2})
        world.cases.check(Signed(other, good.approvals), world.now_ms)


def test_G6_one_person_twice_too_few_or_with_other_roles() -> None:
    world, good = some()
    with refuses("G6"):
        approve(good, "O-00000003", world.now_ms, world._device_keys["O-00000003"])
    with refuses("G6"):
        decode(Signed(good.statement, good.approvals * 2).encode())
    world.cases.take(good, world.now_ms)
    case = world.cases.case("D-000001")
    assessed = Statement(
        "D-000001", 2, case.head, "verify", directive_fields(world)["verify"], bytes(32)
    )
    alone = signed(world, assessed, "O-00000003")
    assert world.cases.check(alone, world.now_ms).lacks
    with refuses("G6"):
        world.cases.take(alone, world.now_ms)
    refusal = Statement(
        "D-000001", 2, case.head, "refuse", {"reason": "not-lawful", "letter": bytes(32)}
    )
    with refuses("G6"):  # two custodians: nobody of legal
        world.cases.check(signed(world, refusal, "O-00000004", "O-00000005"), world.now_ms)


@pytest.mark.parametrize(
    "change",
    [
        {"accounts": 0},
        {"kind": "technical-capability"},
        {"kind": "technical-capability", "accounts": 0},
        {"categories": []},
        {"accounts": 20, "unknown": 20},
        {"from_ms": 9, "to_ms": 8},
    ],
)
def test_G7_no_single_accounts(change) -> None:
    walk = directive()
    with refuses("G7"):
        walk.take("receive", **change)


def test_G7_a_technical_capability_has_one_end() -> None:
    def received():
        walk = directive()
        walk.take("receive", kind="technical-capability", accounts=0, categories=[])
        return walk

    with refuses("G7"):
        received().take("refuse")
    walk = received()
    walk.take("verify")
    for action in ("assess", "contest"):
        with refuses("G7"):
            walk.take(action)
    walk.take("refuse", reason="no-such-capability")
    assert walk.case.state == "refused"
    with refuses("G7"):
        directive().to("verified").take("refuse", reason="no-such-capability")


def test_G7_more_accounts_with_data_than_named() -> None:
    with refuses("G7"):
        directive().to("approved").take("produce", accounts_with_data=2)


def test_G8_dates_of_an_exit() -> None:
    now = World().now_ms
    for change in (
        {"stop_ms": now - DAY, "read_only_ms": now - DAY, "announce_ms": 0, "activations_ms": 0},
        {"stop_ms": now + 20 * DAY},
        {"retrieval_end_ms": now + 60 * DAY},
        {"read_only_ms": now + 41 * DAY},
        {"forwarding_end_ms": now},
        {"no_notice": 1},
    ):
        with refuses("G8"):
            leaving().take("plan", **change)
    walk = leaving().to("announced")
    with refuses("G8"):
        walk.take("extend", stop_ms=now)
    with refuses("G8"):
        walk.take("accelerate", stop_ms=now + 50 * DAY, retrieval_end_ms=now + 90 * DAY)


def test_G9_before_the_date_whatever_one_clock_says() -> None:
    walk = leaving().to("draining")
    world = walk.world
    before, far = world.now_ms, world.now_ms + 1000 * DAY
    statement = Statement("X-PK-1", walk.case.seq + 1, walk.case.head, "freeze", {})
    first = approve(Signed(statement, ()), "O-00000002", far, world._device_keys["O-00000002"])
    jumped = approve(first, "O-00000003", far, world._device_keys["O-00000003"])
    mixed = approve(first, "O-00000003", before, world._device_keys["O-00000003"])
    with refuses("G9"):  # the ledger's time is not there
        world.cases.check(jumped, before)
    with refuses("G9"):  # one device's clock is not there
        world.cases.check(mixed, far)
    assert not world.cases.check(jumped, far).lacks


def test_G10_revealed_is_what_was_committed() -> None:
    _, good = some()
    reveal = SALT + good.encode()
    kind, body = entry("D-000001", 1, reveal, sealed=True)
    register = Register()
    register.add(kind, body, 0, 0)
    assert register.sealed == {"D-000001": 1}
    _, other = entry("D-000001", 1, b"\1" * 32 + good.encode(), sealed=False)
    with refuses("G10"):
        register.add(kind, other, 1, 0)
    with refuses("G10"):
        open_entry(bytes(32), reveal)
    with refuses("G10"):
        fields = {"case": "D-000001", "seq": 1, "commitment": bytes(32), "reveal": reveal}
        Register().add(kind, encode_record(kind, fields), 0, 0)


def test_G11_officers_are_founded_once_by_two_and_stay_two() -> None:
    world = World()
    with refuses("G11"):
        world.decide("officers", "dismiss", {"officer": "O-00000001"})
    with refuses("G11"):
        world.decide("officers", "dismiss", {"officer": "O-0000ffff"})
    copied = {**world._person("O-00000003"), "officer": "O-0000aaaa"}
    with refuses("G11"):
        world.decide("officers", "appoint", copied, {"address": "x@acme.example"})
    with refuses("G11"):
        odd = {**world._person("O-00000003"), "officer": "legal-dept"}
        world.decide("officers", "appoint", odd, {"address": "x@acme.example"})
    fresh = World(found=False)
    public = {**fresh._person("O-00000003"), **fresh._person("O-00000002", "_2")}
    with refuses("G11"):
        private = {"address": "a@acme.example", "address_2": "b@acme.example"}
        fresh.decide("officers", "found", public, private, by=("O-00000002", "O-00000003"))
    with refuses("G4"):
        private = {"address": "a@acme.example", "address_2": "b@acme.example"}
        public = {**world._person("O-00000001"), **world._person("O-00000002", "_2")}
        world.decide("officers", "found", public, private)


def test_G12_numbers_without_a_gap_and_one_exit_a_market() -> None:
    world, good = some()
    with refuses("G12"):
        other = replace(good.statement, case="D-000002")
        world.cases.check(signed(world, other, "O-00000003"), world.now_ms)
    walk = leaving().to("announced")
    fields = walk.fields(walk.world)["plan"]
    for name in ("X-PK-2", "X-PK-3"):
        with refuses("G12"):
            walk.world.decide(name, "plan", fields)
    with refuses("G12"):
        walk.world.decide("X-IN-1", "plan", fields)
    walk.take("rescind")
    walk.world.decide("X-PK-2", "plan", walk.fields(walk.world)["plan"])
    register = Register()
    with refuses("G12"):
        register.add(*entry("D-000002", 1, SALT + good.encode(), sealed=True), 0, 0)


def test_G13_held() -> None:
    walk = leaving().to("announced")
    walk.take("hold")
    with refuses("G13"):
        walk.take("drain")
    with refuses("G13"):
        walk.take("hold")
    walk.take("release")
    walk.take("drain")
    with refuses("G13"):
        walk.take("release")


def test_G14_a_gag_has_an_end() -> None:
    now = World().now_ms
    for until in (now - DAY, now + 400 * DAY):
        with refuses("G14"):
            directive().take("receive", gag_until_ms=until)
    walk = directive().to("verified")
    with refuses("G14"):
        walk.take("extend-gag", until_ms=now + 10 * DAY)
    walk.take("lift-gag")
    for action in ("lift-gag", "extend-gag"):
        with refuses("G14"):
            walk.take(action)


def test_G15_a_statement_ends() -> None:
    world = World()
    for until in (world.now_ms, world.now_ms + 401 * DAY):
        with refuses("G15"):
            world.decide("canary", "declare", {"statements": ["keys"], "valid_until_ms": until})
    good = {"statements": ["keys"], "valid_until_ms": world.now_ms + 100 * DAY}
    world.decide("canary", "declare", good)
    assert world.cases.case("canary").last("declare") == good


def test_G16_the_private_part_is_the_one_that_was_signed() -> None:
    world, good = some()
    with refuses("G16"):
        open_private(good.statement, seal_private({"accounts": []}, world.chance.randbytes))
    with refuses("G16"):
        open_private(good.statement, b"")
    with refuses("G16"):
        bare = signed(world, replace(good.statement, private=None), "O-00000003")
        world.cases.check(bare, world.now_ms)


def test_an_entry_of_another_kind_is_no_decision() -> None:
    _, good = some()
    kind, body = entry("D-000001", 1, SALT + good.encode(), sealed=False)
    assert kind == entries.DIRECTIVE
    with refuses("G1"):
        Register().add(entries.MARKET, body, 0, 0)
    assert Register().add(entries.RELEASE, body, 0, 0) == []


def test_every_rule_has_its_test() -> None:
    text = Path(__file__).read_text()
    missing = [rule for rule in RULES if not re.search(rf"def test_{rule}_", text)]
    assert missing == []
