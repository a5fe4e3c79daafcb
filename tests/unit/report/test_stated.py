"""What published files say, whatever their bytes are; and how differences are told."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackthorn.errors import SecurityError
from blackthorn.report.differences import MOST, differences
from blackthorn.report.files import ENDINGS, FEED, make_one
from blackthorn.report.period import parse_period
from blackthorn.report.stated import read
from tests.support.governance_world import World

KINDS = (*ENDINGS, FEED)


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    """A file of each kind."""
    world = World()
    world.refuse(world.receive("PK"))
    world.epoch()
    stand, period = world.stand(), parse_period("2015H2")
    return {ending: make_one(stand, period, world.policy, ending) for ending in KINDS}


def test_each_file_says_of_which_period_and_ledger_it_is(made: dict[str, bytes]) -> None:
    size = json.loads(made[".json"])["ledger"]["size"]
    for ending, data in made.items():
        said = read("x", ending, data)
        assert said.size == size
        assert said.period == ("" if ending == FEED else "2015H2")
        assert (said.policy is not None) == (ending == ".json")


def test_a_table_without_lines_says_nothing_of_itself(made: dict[str, bytes]) -> None:
    header = made["-directives.csv"].split(b"\r\n")[0] + b"\r\n"
    said = read("x", "-directives.csv", header)
    assert (said.period, said.size) == ("", None)


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(KINDS))
def test_any_bytes_say_something_or_are_refused(data: bytes, ending: str) -> None:
    try:
        said = read("x", ending, data)
    except SecurityError as error:
        assert str(error).startswith("x does not say")
    else:
        assert said.size is None or said.size >= 0


@settings(deadline=None)
@given(data=st.data())
def test_any_change_is_a_difference(made: dict[str, bytes], data: st.DataObject) -> None:
    ending = data.draw(st.sampled_from(KINDS))
    right = made[ending]
    at = data.draw(st.integers(0, len(right)))
    gone = data.draw(st.integers(0, 3))
    published = right[:at] + data.draw(st.binary(max_size=4)) + right[at + gone :]
    found = differences(ending, published, right)
    assert bool(found) == (published != right)
    assert len(found) <= MOST
    assert all(line.isprintable() for line in found)


def test_a_file_of_the_same_value_in_other_bytes_differs(made: dict[str, bytes]) -> None:
    other = json.dumps(json.loads(made[".json"])).encode()
    assert differences(".json", other, made[".json"])[0].startswith("line 1: ")
    assert differences(".csv", made[".csv"].replace(b"\r\n", b"\n"), made[".csv"])


def test_values_are_named_by_their_place(made: dict[str, bytes]) -> None:
    value = json.loads(made[".json"])
    value["directives"][0]["authority"] = "\x1b[31mnobody\u202e"
    value["rows"].pop()
    value["more"] = value["\x1b[2J"] = True
    found = differences(".json", json.dumps(value).encode(), made[".json"])
    assert any(line.startswith("directives[D-000001].authority: the report says") for line in found)
    assert any(line.startswith("rows[ZZ sealed]: the report says nothing") for line in found)
    assert "more: the report says true, the ledger gives nothing" in found
    assert all(line.isprintable() for line in found)
