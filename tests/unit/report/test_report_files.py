"""The files of a report: valid by other people's validators, harmless whatever officers wrote."""

import base64
import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import html5lib
import jsonschema
import pytest

from blackthorn.errors import InputError, VerificationError
from blackthorn.report.document import schema
from blackthorn.report.files import make, split_name
from blackthorn.report.page import content_security
from blackthorn.report.period import parse_period
from blackthorn.report.tables import COUNTS_COLUMNS, DIRECTIVES_COLUMNS
from tests.support.governance_world import DAY_MS, World

HTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"
ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = "<script>alert(\"1\")</script>&amp;<b title='x'>"


def files(world: World, period: str = "2015H2") -> dict[str, bytes]:
    return make(world.stand(), parse_period(period), world.policy)


@pytest.fixture(scope="module")
def empty() -> dict[str, bytes]:
    world = World(found=False)
    world.epoch()
    return files(world)


@pytest.fixture(scope="module")
def full() -> dict[str, bytes]:
    """Something of everything, and texts that would like to be something else."""
    world = World()
    demand = world.receive("PK", "technical-capability", authority=HOSTILE)
    world.refuse(demand, "no-such-capability")
    world.decide(demand, "correct", {"corrects": 1, "note": HOSTILE})
    answered = world.receive("DE", authority="=cmd|'/C calc'!A0", basis=" +1", process="@SUM(A1)")
    world.verify(answered)
    world.assess(answered, grounds=HOSTILE)
    world.deliver(answered)
    forged = world.receive("US", "emergency", basis="-2\n-3", process='a "quoted", one')
    world.verify(forged, "forged")
    contested = world.receive("GB")
    world.verify(contested)
    world.decide(contested, "contest", {"court": HOSTILE, "filed_ms": world.now_ms})
    until = world.now_ms + 300 * DAY_MS
    world.decide("canary", "declare", {"statements": ["keys"], "valid_until_ms": until})
    day = world.now_ms
    names = ("announce", "activations", "read_only", "stop", "retrieval_end", "backups_end")
    dates = {f"{name}_ms": day + 40 * DAY_MS * at for at, name in enumerate(names)}
    plan = {"market": "PK", "reason": HOSTILE, "directive": demand, "users": 5000}
    rest = {"list": bytes(32), "no_notice": 0, "compelled": None}
    ends = {"forwarding_end_ms": day + 300 * DAY_MS}
    world.decide("X-PK-1", "plan", {**plan, **dates, **ends, **rest})
    world.epoch(1)
    world.sealed = True
    world.receive("US", gag_until_ms=world.now_ms + DAY_MS)
    world.epoch(1)
    return files(world)


@pytest.fixture(params=["empty", "full"])
def made(request: pytest.FixtureRequest) -> dict[str, bytes]:
    return request.getfixturevalue(request.param)


# --- The page -----------------------------------------------------------------------------


def parse(page: bytes) -> Any:
    return html5lib.HTMLParser(strict=True).parse(page.decode())


def test_the_page_is_valid_html(made: dict[str, bytes]) -> None:
    root = parse(made["2015H2.html"])
    assert root.get("lang") == "en"
    assert root.find(f".//{HTML}meta[@name='viewport']") is not None
    levels = [int(each.tag[-1]) for each in root.iter() if re.fullmatch(HTML + "h[1-6]", each.tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), "a level is left out"
    ids = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    for each in root.iter():
        for named in (each.get("aria-labelledby") or "").split():
            assert named in ids


def test_every_chart_has_title_description_and_its_numbers_as_text(
    made: dict[str, bytes],
) -> None:
    root = parse(made["2015H2.html"])
    charts = list(root.iter(f"{SVG}svg"))
    assert len(charts) == 3
    for chart in charts:
        assert chart.get("role") == "img"
        title, text = chart.find(f"{SVG}title"), chart.find(f"{SVG}desc")
        assert title.text and text.text
        for value in chart.iterfind(f"{SVG}text[@class='value']"):
            assert value.text in text.text
    for table in root.iter(f"{HTML}table"):
        assert table.find(f"{HTML}caption").text
        assert all(each.get("scope") in ("row", "col") for each in table.iter(f"{HTML}th"))


def test_the_page_loads_and_runs_nothing(made: dict[str, bytes]) -> None:
    root = parse(made["2015H2.html"])
    forbidden = {"script", "img", "iframe", "object", "embed", "form", "base", "video", "audio"}
    for each in root.iter():
        name = each.tag.rpartition("}")[2] if isinstance(each.tag, str) else ""
        assert name not in forbidden
        assert not any(str(key).startswith("on") or key == "style" for key in each.attrib)
        for key in ("href", "src"):
            assert ":" not in each.get(key, ""), "a link leads elsewhere"
    style = root.find(f".//{HTML}style").text
    assert "url(" not in style and "@import" not in style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in content_security()
    policy = root.find(f".//{HTML}meta[@http-equiv='Content-Security-Policy']").get("content")
    assert policy == content_security() and policy.startswith("default-src 'none';")


def test_what_officers_wrote_is_text(full: dict[str, bytes]) -> None:
    page = full["2015H2.html"].decode()
    assert "<script" not in page and "<b title" not in page
    shown = [text for text in parse(full["2015H2.html"]).itertext() if HOSTILE in text]
    assert len(shown) == 5, "authority, correction, grounds, court and the reason of the exit"


def luminance(colour: str) -> float:
    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_colours_have_the_contrast_of_wcag_aa(empty: dict[str, bytes]) -> None:
    style = empty["2015H2.html"].decode()
    schemes = re.findall(r"--paper: (#[0-9a-f]{6}).*?--ok: (#[0-9a-f]{6})", style, re.DOTALL)
    assert len(schemes) == 2, "light and dark"
    for found in re.finditer(r"--paper:.*?--ok: #[0-9a-f]{6}", style, re.DOTALL):
        colours = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", found[0]))
        for back in ("paper", "card"):
            for text in ("ink", "soft", "accent", "given", "ok"):
                assert contrast(colours[text], colours[back]) >= 4.5, (text, back)
        for bar in ("accent", "given"):
            assert contrast(colours[bar], colours["track"]) >= 3, bar


# --- JSON, CSV, Atom ----------------------------------------------------------------------


def test_the_json_keeps_its_schema(made: dict[str, bytes]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    validator = jsonschema.Draft202012Validator(schema())
    value = json.loads(made["2015H2.json"])
    validator.validate(value)
    assert value["schema"] == "blackthorn-transparency-report/1"
    assert not validator.is_valid({**value, "more": 1})
    assert not validator.is_valid({**value, "totals": {**value["totals"], "received": -1}})
    assert not validator.is_valid({**value, "schema": "blackthorn-transparency-report/2"})


def records(data: bytes) -> Iterator[dict[str, str]]:
    return csv.DictReader(io.StringIO(data.decode(), newline=""))


def test_the_counts_are_csv_of_rfc_4180(made: dict[str, bytes]) -> None:
    data = made["2015H2.csv"]
    lines = data.split(b"\r\n")
    assert lines[-1] == b"" and b"\n" not in data.replace(b"\r\n", b"")
    assert lines[0].decode() == ",".join(COUNTS_COLUMNS)
    rows = list(records(data))
    value = json.loads(made["2015H2.json"])
    assert len(rows) == len(value["rows"]) >= 7
    for row, said in zip(rows, value["rows"], strict=True):
        assert row["schema"] == "blackthorn-transparency-counts/1"
        assert (row["period"], row["ledger_size"]) == ("2015H2", str(value["ledger"]["size"]))
        for name, number in said.items():
            assert row[name] == ("" if number is None else str(number))
    assert sum(int(row["received"]) for row in rows) == value["totals"]["received"]


def test_no_cell_is_a_formula(full: dict[str, bytes]) -> None:
    rows = list(records(full["2015H2-directives.csv"]))
    assert full["2015H2-directives.csv"].decode().startswith(",".join(DIRECTIVES_COLUMNS))
    assert [row["id"] for row in rows] == [f"D-{number:06}" for number in (1, 2, 3, 4)]
    assert all(value.lstrip()[:1] not in tuple("=+-@") for row in rows for value in row.values())
    assert (rows[1]["authority"], rows[1]["basis"]) == ("'=cmd|'/C calc'!A0", "' +1")
    assert rows[1]["process"] == "'@SUM(A1)"
    assert (rows[2]["basis"], rows[2]["process"]) == ("'-2\n-3", 'a "quoted", one')


def test_the_feed_has_an_entry_for_each_decision_that_is_revealed(full: dict[str, bytes]) -> None:
    feed = ElementTree.fromstring(full["atom.xml"])
    entries = feed.findall(f"{ATOM}entry")
    ids = [each.findtext(f"{ATOM}id") for each in entries]
    assert len(set(ids)) == len(ids) == 4 + 3 + 6 + 2 + 3 + 1 + 1
    assert "tag:acme.example,2015:transparency/D-000001/1" in ids
    assert not any("D-000005" in str(each) for each in ids), "it is sealed"
    for each in (feed, *entries):
        for name in ("id", "title", "updated"):
            assert len(each.findall(f"{ATOM}{name}")) == 1
    updated = [str(each.findtext(f"{ATOM}updated")) for each in entries]
    assert updated == sorted(updated, reverse=True) and updated[0] == "2015-07-01T00:00:00Z"
    assert feed.findtext(f"{ATOM}author/{ATOM}name") == "acme.example"
    assert b"script" not in full["atom.xml"], "nothing that an officer wrote is in it"


def test_the_time_of_an_entry_is_that_of_its_revealing_and_its_id_stays() -> None:
    world = World()
    world.sealed = True
    world.receive("US", gag_until_ms=world.now_ms + DAY_MS)
    world.epoch(2)
    before = ElementTree.fromstring(files(world)["atom.xml"])
    world.reveal()
    world.epoch()
    [first, *rest] = ElementTree.fromstring(files(world)["atom.xml"]).findall(f"{ATOM}entry")
    assert first.findtext(f"{ATOM}id") == "tag:acme.example,2015:transparency/D-000001/1"
    assert first.findtext(f"{ATOM}published") == "2015-07-01T00:00:00Z"
    assert first.findtext(f"{ATOM}updated") == "2015-07-03T00:00:00Z"
    known = [each.findtext(f"{ATOM}id") for each in before.findall(f"{ATOM}entry")]
    assert [each.findtext(f"{ATOM}id") for each in rest] == known


def test_an_empty_feed_is_a_feed(empty: dict[str, bytes]) -> None:
    feed = ElementTree.fromstring(empty["atom.xml"])
    assert feed.findall(f"{ATOM}entry") == []
    assert feed.findtext(f"{ATOM}updated") == "2015-07-01T00:00:00Z"


def test_nothing_private_is_in_any_file(full: dict[str, bytes]) -> None:
    for name, data in full.items():
        for private in (b"p0@acme.example", b"a judge", b"the registry", b"o-00000003@"):
            assert private not in data, name


# --- All together -------------------------------------------------------------------------


def test_the_same_ledger_makes_the_same_bytes(full: dict[str, bytes]) -> None:
    world = World()
    world.receive("DE")
    world.epoch()
    assert files(world) == files(world)


def test_only_the_policy_that_the_ledger_commits_to_is_shown() -> None:
    world = World()
    world.epoch()
    with pytest.raises(VerificationError, match="D30"):
        make(world.stand(), parse_period("2015"), world.policy + "\n")


def test_names_of_files_are_split() -> None:
    assert split_name("2015H2-directives.csv") == ("2015H2", "-directives.csv")
    assert split_name("2015H2.csv") == ("2015H2", ".csv")
    assert split_name("atom.xml") == ("", "atom.xml")
    with pytest.raises(InputError):
        split_name("2015H2.txt")
