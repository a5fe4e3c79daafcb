"""Trust policies: the specification's example, every way to miswrite one, and who is a quorum."""

import itertools

import pytest

from blackthorn.errors import VerificationError
from blackthorn.tlog import limits
from blackthorn.tlog.cosignature import Cosigner
from blackthorn.tlog.policy import (
    Policy,
    PolicyGroup,
    PolicyLog,
    PolicyWitness,
    format_policy,
    parse_policy,
)
from blackthorn.wire.note import ED25519, VerifierKey
from tests.support.tlog_world import LOG, OTHER_LOG, WITNESSES, policy, refuses, seed_of

KEYS = [Cosigner(f"w{number}.example", seed_of(number)).vkey for number in range(40)]
L, A, B, C = LOG.vkey, KEYS[0], KEYS[1], KEYS[2]

TWO_LEVELS = f"""\
log {L}

# Two operators, and a remark with \N{LATIN SMALL LETTER E WITH ACUTE}.
witness X1 {KEYS[0]}
witness X2 {KEYS[1]} https://x2.example/witness
witness X3 {KEYS[2]}
group X-witnesses 2 X1 X2 X3

\twitness   Y1\t{KEYS[3]}
witness Y2 {KEYS[4]}
  # indented
witness Y3 {KEYS[5]}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def test_the_example_of_the_specification() -> None:
    parsed = parse_policy(TWO_LEVELS)
    assert parsed.log == L
    assert [witness.name for witness in parsed.witnesses] == ["X1", "X2", "X3", "Y1", "Y2", "Y3"]
    assert [group.threshold for group in parsed.groups] == [2, 1, 2]
    assert [(w.name, w.key, w.url) for w in parsed.witnesses if w.url] == [
        ("X2", KEYS[1], "https://x2.example/witness")
    ]
    for size in range(7):
        for names in itertools.combinations(("X1", "X2", "X3", "Y1", "Y2", "Y3"), size):
            xs = sum(name.startswith("X") for name in names)
            assert parsed.satisfied_by(set(names)) == (xs >= 2 and size > xs)


def test_a_policy_reads_what_it_writes() -> None:
    for each in (parse_policy(TWO_LEVELS), policy(), parse_policy("quorum none\n")):
        text = format_policy(each)
        assert parse_policy(text) == each
        assert format_policy(parse_policy(text.encode())) == text


def test_the_quorum_time_of_groups_in_groups() -> None:
    parsed = parse_policy(TWO_LEVELS)
    times = {"X1": 50, "X2": 10, "X3": 40, "Y1": 20, "Y2": 45}
    # The second latest of the X, the latest of the Y, and the earlier of both.
    assert parsed.quorum_time(times) == 40
    assert parsed.quorum_time({**times, "Y2": 30, "Y1": 20}) == 30
    assert parsed.quorum_time({"X1": 50, "Y1": 20}) is None


def test_the_quorum_time_is_the_latest_at_which_the_quorum_stands() -> None:
    """Against the definition, for all orders of six times."""
    parsed = parse_policy(TWO_LEVELS)
    names = [witness.name for witness in parsed.witnesses]
    for order in itertools.permutations(range(1, 7)):
        times = dict(zip(names, order, strict=True))
        standing = [
            since
            for since in order
            if parsed.satisfied_by({name for name, time in times.items() if time >= since})
        ]
        assert parsed.quorum_time(times) == max(standing)


def test_a_single_witness_may_be_the_quorum() -> None:
    parsed = parse_policy(f"log {L}\nwitness a {A}\nquorum a\n")
    assert parsed.satisfied_by({"a"})
    assert not parsed.satisfied_by(set())
    assert not parsed.satisfied_by({"b"})


def test_no_quorum_is_always_there() -> None:
    parsed = parse_policy("quorum none\n")
    assert parsed.satisfied_by(set())
    assert parsed.quorum_time({}) == 0


def test_names_are_bytes() -> None:
    kelvin = (
        f"witness K {A}\nwitness \N{KELVIN SIGN} {B}\ngroup g all K \N{KELVIN SIGN}\nquorum g\n"
    )
    assert len(parse_policy(kelvin).groups[0].members) == 2
    odd = b"witness \xff\xfe " + str(A).encode() + b"\nquorum \xff\xfe\n"
    parsed = parse_policy(odd)
    assert parse_policy(format_policy(parsed)) == parsed
    with refuses("T27"):
        parse_policy(odd.replace(b"quorum \xff\xfe", "quorum \ufffd\ufffd".encode()))


def test_a_no_break_space_does_not_part_words() -> None:
    parsed = parse_policy(f"witness a\u00a0b {A}\nquorum a\u00a0b\n")
    assert parsed.quorum == "a\u00a0b"


def test_keys_of_unknown_kinds_are_kept() -> None:
    strange = VerifierKey("pq.example", 0x06, bytes(1312))
    parsed = parse_policy(f"log {strange}\nwitness a {strange}\nquorum a\n")
    assert parsed.log == strange == parsed.witnesses[0].key


def test_as_many_as_the_bounds_are_taken() -> None:
    lines = [f"witness w{number} {KEYS[number]}" for number in range(limits.MAX_POLICY_WITNESSES)]
    lines += [f"group g{number} any w{number}" for number in range(limits.MAX_POLICY_GROUPS)]
    parsed = parse_policy("\n".join([*lines, "quorum g0", ""]))
    assert len(parsed.witnesses) == len(parsed.groups) == 32


def test_a_chain_of_groups_is_no_deep_work() -> None:
    lines = [f"witness w {A}", "group g0 any w"]
    lines += [f"group g{number} all g{number - 1}" for number in range(1, limits.MAX_POLICY_GROUPS)]
    parsed = parse_policy("\n".join([*lines, "quorum g31", ""]))
    assert parsed.quorum_time({"w": 7}) == 7


def test_T20_a_large_policy() -> None:
    with refuses("T20"):
        parse_policy("#" * limits.MAX_POLICY_BYTES + "\nquorum none\n")
    with refuses("T20"):
        parse_policy("\n" * limits.MAX_POLICY_LINES + "quorum none\n")
    parse_policy("\n" * (limits.MAX_POLICY_LINES - 1) + "quorum none\n")


def test_T21_too_many_parts() -> None:
    logs = [PolicyLog(VerifierKey(f"l{n}", ED25519, n.to_bytes(32, "big"))) for n in range(33)]
    with refuses("T21"):
        Policy(tuple(logs), (), (), "none")
    with refuses("T21"):
        parse_policy("".join(f"witness w{n} {KEYS[n]}\n" for n in range(33)) + "quorum none\n")
    names = [f"witness w {A}\ngroup g0 any w\n"]
    names += [f"group g{n} any g{n - 1}\n" for n in range(1, 33)]
    with refuses("T21"):
        parse_policy("".join(names) + "quorum none\n")


@pytest.mark.parametrize("char", ["\x00", "\r", "\x0b", "\x7f", "\x1f"])
def test_T22_a_control_character(char: str) -> None:
    with refuses("T22"):
        parse_policy(f"# remark{char}\nquorum none\n")


def test_T22_no_text() -> None:
    with refuses("T22"):
        parse_policy("# \ud800\nquorum none\n")


@pytest.mark.parametrize(
    "text",
    [
        "quorum none",
        f"log {L}\nquorum none\n#",
        "log\nquorum none\n",
        f"log {L} https://a b\nquorum none\n",
        f"witness {A}\nquorum none\n",
        f"witness a {A} https://a b\nquorum none\n",
        f"witness a {A}\ngroup g any\nquorum none\n",
        "quorum\n",
        "quorum none none\n",
        "LOG x\nquorum none\n",
        "policy 1\nquorum none\n",
    ],
)
def test_T23_no_line_of_a_policy(text: str) -> None:
    with refuses("T23"):
        parse_policy(text)


def test_the_line_that_is_no_line_of_a_policy_is_named() -> None:
    with pytest.raises(VerificationError, match="line 3 of a policy"):
        parse_policy(f"# comment\nlog {L}\nlogs\nquorum none\n")


def test_T23_words_with_spaces() -> None:
    with refuses("T23"):
        Policy((), (PolicyWitness("a b", A),), (), "none")
    with refuses("T23"):
        Policy((), (PolicyWitness("", A),), (), "none")
    with refuses("T23"):
        Policy((PolicyLog(L, "https://a\nquorum none"),), (), (), "none")


def test_T24_a_key_of_the_other_kind() -> None:
    with refuses("T24"):
        parse_policy(f"log {A}\nquorum none\n")
    with refuses("T24"):
        parse_policy(f"witness a {L}\nquorum a\n")


def test_T25_one_key_under_two_names() -> None:
    same = VerifierKey("again.example", ED25519, L.public)
    with refuses("T25"):
        parse_policy(f"log {L}\nlog {same}\nquorum none\n")
    same = VerifierKey("again.example", A.algorithm, A.public)
    with refuses("T25"):
        parse_policy(f"witness a {A}\nwitness b {same}\nquorum none\n")


def test_T26_a_name_twice() -> None:
    with refuses("T26"):
        parse_policy(f"witness a {A}\nwitness a {B}\nquorum a\n")
    with refuses("T26"):
        parse_policy(f"witness a {A}\ngroup a any a\nquorum a\n")
    with refuses("T26"):
        parse_policy(f"witness none {A}\nquorum none\n")
    with refuses("T26"):
        parse_policy(f"witness a {A}\ngroup none any a\nquorum none\n")


@pytest.mark.parametrize(
    "text",
    [
        "quorum a\n",
        f"quorum a\nwitness a {A}\n",
        f"group g any a\nwitness a {A}\nquorum g\n",
        f"witness a {A}\ngroup g any a none\nquorum g\n",
        "group g any g\nquorum g\n",
    ],
)
def test_T27_a_name_that_is_not_defined_yet(text: str) -> None:
    with refuses("T27"):
        parse_policy(text)


def test_T28_a_member_twice() -> None:
    """Else one witness would count as two."""
    with refuses("T28"):
        parse_policy(f"witness a {A}\nwitness b {B}\ngroup g 2 a a b\nquorum g\n")
    with refuses("T28"):
        parse_policy(f"witness a {A}\ngroup g any a\ngroup h any a\nquorum g\n")


@pytest.mark.parametrize("word", ["0", "3", "-1", "01", "1.0", "some", "ANY", "99999999999"])
def test_T29_a_threshold_that_cannot_be(word: str) -> None:
    with refuses("T29"):
        parse_policy(f"witness a {A}\nwitness b {B}\ngroup g {word} a b\nquorum g\n")


def test_T29_a_group_of_nobody() -> None:
    with refuses("T29"):
        Policy((), (), (PolicyGroup("g", 0, ()),), "g")


def test_T30_no_quorum_or_two() -> None:
    with refuses("T30"):
        parse_policy(f"log {L}\n")
    with refuses("T30"):
        parse_policy("")
    with refuses("T30"):
        parse_policy("quorum none\nquorum none\n")


def test_T31_a_policy_without_a_log() -> None:
    with refuses("T31"):
        _ = parse_policy("quorum none\n").log
    assert parse_policy(f"log {OTHER_LOG.vkey}\nlog {L}\nquorum none\n").log == OTHER_LOG.vkey


def test_a_policy_that_exists_is_valid() -> None:
    """The constructor knows the rules of the parser."""
    with refuses("T27"):
        Policy((), (), (), "W0")
    witness = PolicyWitness("W0", WITNESSES[0].vkey)
    with refuses("T26"):
        Policy((), (witness, PolicyWitness("W0", C)), (), "W0")
