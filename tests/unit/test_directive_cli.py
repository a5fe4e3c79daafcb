"""`blackthorn directive`: from receipt to answer; what names everybody is refused on the device."""

import hashlib
from datetime import UTC, datetime

import pytest

from blackthorn.cli.officer import fields, show
from blackthorn.errors import SecurityError, UserError
from blackthorn.governance import directives, inputs, limits, statements
from blackthorn.programs.device import home
from tests.support.office_world import OfficeWorld, address

ANN, BOB = address("ann"), address("bob")


@pytest.fixture
def world(tmp_path, monkeypatch):
    made = OfficeWorld(tmp_path, monkeypatch)
    made.founded()
    return made


@pytest.fixture
def demand(tmp_path):
    """The words of a demand that is in order."""
    file = tmp_path / "demand.pdf"
    file.write_bytes(b"We demand.")
    return [
        *("directive", "receive", "--kind", "production", "--country", "pk"),
        *("--authority", "Sessions Court", "--basis", "Section 94", "--process", "order"),
        *("--channel", "post", "--received", "2015-07-24", "--document", file),
        *("--category", "sealed-mail", "--contact", "desk@court.gov.pk"),
    ]


NAMED = ("--account", ANN, "--account", BOB)
CALLED = ("--contact", "+92 51 1", "--source", "the court's printed directory")


def received(world, demand, *more):
    world.run("lea", *demand, *NAMED, *more, "--yes")
    return "D-000001"


def test_an_approval_is_dated_by_the_ledger_not_by_the_devices_clock(world, demand, monkeypatch):
    fast = world.office.now_ms + 40 * 86_400_000
    monkeypatch.setattr(home, "wall_ms", lambda: fast)
    before_ms = world.office.now_ms
    case = received(world, demand)
    (approval,) = statements.decode(world.office.decisions[-1].signed).approvals
    assert before_ms <= approval.at_ms <= world.office.now_ms
    world.both("lea", "ann", "directive", "verify", case, *CALLED)


def verified(world, demand, *more):
    case = received(world, demand, *more)
    world.both("lea", "ann", "directive", "verify", case, *CALLED)
    return case


def assessed(world, demand):
    case = verified(world, demand)
    words = ("--decision", "comply", "--grounds", "It is lawful.", "--deadline", "2030-01-01")
    world.both("lea", "ann", "directive", "assess", case, *words)
    return case


def _decision(page):
    """The lines of a page from its first heading to its last field."""
    lines = page.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("Published in the ledger"))
    rest = lines[first:]
    return rest[: max(n for n, line in enumerate(rest) if line.startswith("  ")) + 1]


def test_a_demand_is_written_down_with_its_hash_and_private_part(world, demand):
    told = world.run("lea", *demand, *NAMED, "--unknown", "1", "--yes")
    assert "receive is decided" in told and ".gov" in told
    assert "the server checks that each account exists" in told
    page = world.run("lea", "directive", "show", "D-000001")
    assert _decision(page) == _decision(told), "the same fields, headings and order in both"
    shown = world.json("lea", "directive", "show", "D-000001")
    (step,) = shown["steps"]
    assert shown["state"] == "received"
    assert step["public"]["document"] == hashlib.sha256(b"We demand.").hexdigest()
    assert step["public"]["received"] == "2015-07-24T00:00:00.000Z"
    assert (step["public"]["accounts"], step["public"]["unknown"]) == (2, 1)
    assert step["private"]["accounts"] == [ANN, BOB]


def test_a_period_is_of_whole_days_and_what_is_not_published_stays_private(world, demand):
    period = ("--from", "2015-01-01", "--to", "2015-01-31", "--gag-until", "2015-02-01")
    assert "[G14]" in world.run("lea", *demand, *NAMED, *period, "--yes", error=UserError)
    received(world, demand, *period[:4], "--case-number", "7", "--signatory", "A judge")
    (step,) = world.json("lea", "directive", "show", "D-000001")["steps"]
    assert step["public"]["from"] == "2015-01-01T00:00:00.000Z"
    assert step["public"]["to"] == "2015-01-31T23:59:59.999Z"
    assert (step["private"]["case_number"], step["private"]["signatory"]) == ("7", "A judge")


@pytest.mark.parametrize(
    ("accounts", "says"),
    [
        (["*@acme.example"], "wildcard"),
        (["a%@acme.example"], "wildcard"),
        (["@acme.example"], "whole domain"),
        (["acme.example"], "whole domain or no address"),
        ([""], "empty account"),
        (["a@other.example"], "not an account here"),
        ([ANN, ANN], "twice"),
        ([f"a{n}@acme.example" for n in range(26)], f"{limits.MAX_DIRECTIVE_ACCOUNTS} at the most"),
        ([], "no account is named"),
    ],
)
def test_what_names_many_or_nobody_is_refused_on_the_device(world, demand, accounts, says):
    words = [word for each in accounts for word in ("--account", each)]
    assert says in world.run("lea", *demand, *words, "--yes", error=UserError)
    assert world.office.cases.directives == []


def test_a_technical_capability_names_nobody_and_is_only_refused(world, demand, tmp_path):
    demand[3] = directives.TECHNICAL
    assert "names no account" in world.run("lea", *demand, *NAMED, "--yes", error=UserError)
    words = [each for each in demand if each not in ("--category", "sealed-mail")]
    world.run("lea", *words, "--yes")
    case, letter = "D-000001", tmp_path / "letter.txt"
    refuse = ("directive", "refuse", case, "--reason", "no-such-capability", "--out", letter)
    told = world.both("lea", "ann", *refuse)
    assert "refuse is decided" in told
    assert "no such capability" in " ".join(letter.read_text().split())
    (step,) = world.json("ann", "directive", "show", case)["steps"][1:]
    assert step["public"]["letter"] == hashlib.sha256(letter.read_bytes()).hexdigest()


def test_a_contact_that_the_demand_brought_proves_nothing(world, demand):
    case = received(world, demand)
    for same in ("desk@court.gov.pk", " DESK@court.gov.pk"):
        words = ("directive", "verify", case, "--contact", same, "--source", "its letterhead")
        assert "is from the directive" in world.run("ann", *words, "--yes", error=UserError)
    told = world.run("ann", "directive", "verify", case, *CALLED, "--yes")
    assert "proves who wrote" in told and "verify waits for" in told


def test_a_verification_tells_what_was_and_was_not_checked(world, demand):
    case = received(world, demand)
    words = ("directive", "verify", case, *CALLED)
    told = world.run("ann", *words, "--dry-run")
    assert "Not entered, and so taken: --method call-back, --result genuine." in told
    assert "Checked: that your contact is not the demand's own. Whether you have asked" in told
    assert "the authority, when you asked it, confirmed" in told
    forged = world.run("ann", *words, "--result", "forged", "--method", "portal-key", "--dry-run")
    assert "knew nothing of this demand" in forged and "Not entered" not in forged
    told += world.both("ann", "lea", *words) + world.run("ann", "directive", "show", case)
    lines = [line for line in told.splitlines() if line.strip().startswith("result ")]
    assert len(lines) == 3
    assert all("genuine, as the officers state; no program can" in line for line in lines)
    steps = world.json("ann", "directive", "show", case)["steps"]
    assert steps[-1]["public"]["result"] == "genuine"


def test_a_demand_that_brought_no_contact_checks_nothing(world, demand):
    case = received(world, demand[:-2])
    told = world.run("ann", "directive", "verify", case, *CALLED, "--dry-run")
    assert "Checked: nothing. Whether you have asked" in told


def test_a_demand_for_no_category_is_refused_before_it_is_shown(world, demand):
    words = [each for each in demand if each not in ("--category", "sealed-mail")]
    told = world.run("lea", *words, *NAMED, "--yes", error=UserError)
    assert "--category is missing" in told and "waiting-parcels" in told
    assert world.printed == ""
    words[3] = "removal"
    assert "receive is decided" in world.run("lea", *words, *NAMED, "--yes")


def test_what_breaks_a_rule_is_not_shown_as_if_it_could_be_signed(world, demand):
    period = ("--from", "2015-02-01", "--to", "2015-01-31")
    told = world.run("lea", *demand, *NAMED, *period, "--yes", error=UserError)
    assert "ends before it begins" in told and world.printed == ""


def test_a_forged_one_ends(world, demand):
    case = received(world, demand)
    world.both("lea", "ann", "directive", "verify", case, *CALLED, "--result", "forged")
    assert world.json("ann", "directive", "show", case)["state"] == "forged"


def test_the_same_command_of_the_other_officer_approves_what_waits(world, demand):
    case = assessed(world, demand)
    told = world.run("cus", "directive", "approve", case, "--yes")
    assert "approve waits for legal" in told
    told = world.run("lea", "directive", "approve", case, "--yes")
    assert "Approved by" in told and "approve is decided" in told
    assert world.json("lea", "directive", "show", case)["state"] == "approved"


def test_sign_shows_what_waits_and_approves_it(world, demand):
    case = assessed(world, demand)
    assert "nothing waits" in world.run("lea", "directive", "sign", case, "--yes", error=UserError)
    world.run("cus", "directive", "approve", case, "--category", "sealed-mail", "--yes")
    assert "[G6]" in world.run("cus", "directive", "sign", case, "--yes", error=UserError)
    assert world.json("lea", "directive", "show", case)["waiting"]["action"] == "approve"
    told = world.run("lea", "directive", "sign", case, "--yes")
    assert "sealed-mail" in told and "is decided" in told


def test_who_has_not_the_role_is_told_so_before_he_signs(world, demand):
    case = assessed(world, demand)
    text = world.run("ann", "directive", "approve", case, "--yes", error=UserError)
    assert "signed by other roles: legal, and custodian" in text and world.office.pending == {}


def test_another_proposal_says_that_it_replaces_what_waits(world, demand):
    case = verified(world, demand)
    words = ("directive", "assess", case, "--grounds", "G", "--decision")
    world.run("lea", *words, "comply", "--yes")
    assert "will be replaced" in world.run("ann", *words, "no-data", "--dry-run")
    refused = world.run("ann", *words, "no-data", "--yes", error=UserError)
    assert "repeat this with --replace" in refused and f"directive sign {case}" in refused
    world.run("ann", *words, "no-data", "--yes", "--replace")
    waiting = world.json("ann", "directive", "show", case)["waiting"]
    assert waiting["public"]["decision"] == "no-data"
    assert f"directive sign {case} --dry-run" in world.run("ann", "directive", "show", case)


def test_a_case_that_there_is_not_names_those_that_there_are(world):
    refused = world.run("ann", "role", "sign", "oficers", "--yes", error=UserError)
    assert (
        "there is no case 'oficers': it is officers, ledger, canary, a directive such as" in refused
    )


def test_two_people_of_one_role_are_told_in_words():
    owner, legal = frozenset({"owner"}), frozenset({"legal"})
    assert show.takes((owner, owner)) == "two different people who both have the role owner"
    assert show.takes((legal, owner)) == "two different people: legal, and owner"


def test_what_was_not_asked_for_is_not_approved(world, demand):
    case = assessed(world, demand)
    words = ("directive", "approve", case, "--category", "identity-chain", "--yes")
    assert "does not ask for identity-chain" in world.run("cus", *words, error=UserError)


def test_gags_have_an_order_and_an_end(world, demand, tmp_path):
    order = tmp_path / "order"
    order.write_bytes(b"Silence.")
    case = received(world, demand)
    words = ("directive", "extend-gag", case, "--until", "2030-01-01", "--order", order, "--yes")
    assert "[G14]" in world.run("lea", *words, error=UserError)
    assert "[G14]" in world.run("lea", "directive", "lift-gag", case, "--yes", error=UserError)


def test_contest_and_correct(world, demand):
    case = verified(world, demand)
    words = ("--court", "High Court", "--filed", "2015-08-01")
    world.both("lea", "ann", "directive", "contest", case, *words)
    world.both("lea", "ann", "directive", "correct", case, "--step", "1", "--note", "It was two.")
    shown = world.json("ann", "directive", "show", case)
    assert [each["action"] for each in shown["steps"]][-2:] == ["contest", "correct"]
    assert "has the steps 1 to 4" in world.run(
        "lea", "directive", "correct", case, "--step", "9", "--note", "n", "--yes", error=UserError
    )


def test_the_canary_says_what_is_stated_and_what_is_not_any_more(world):
    assert "Nothing is stated." in world.run("lea", "directive", "canary")
    until = inputs.datetime.now(inputs.UTC).date().isoformat()
    words = ("directive", "canary", "--statement", "keys", "--until")
    assert "[G15]" in world.run("lea", *words, until, "--yes", error=UserError)
    later = inputs.datetime.fromtimestamp(world.office.now_ms / 1000 + 90 * 86_400, inputs.UTC)
    told = world.both("lea", "ann", *words, later.date().isoformat())
    assert "never handed anyone a key" in told and "Not stated any more" in told
    assert "declare" in world.run("ann", "directive", "canary")


def test_a_list_has_tabs_when_piped_and_documents_for_programs(world, demand):
    assert "There are no directives." in world.run("lea", "directive", "list")
    received(world, demand)
    lines = world.run("lea", "directive", "list").splitlines()
    assert lines[0].split("\t") == list(directive_titles())
    assert lines[1].split("\t")[:5] == ["D-000001", "received", "production", "PK", f"{ANN}, {BOB}"]
    (found,) = world.json("lea", "directive", "list")
    assert found["id"] == "D-000001"


def directive_titles():
    from blackthorn.cli.officer.show import DIRECTIVE_TITLES

    return DIRECTIVE_TITLES


@pytest.mark.parametrize("bad", ["D-1", "X-PK-1", "../x"])
def test_an_id_that_is_none(world, bad):
    assert "not a directive's id" in world.run("lea", "directive", "show", bad, error=UserError)


def test_a_directive_that_there_is_not(world):
    assert "there is no directive" in world.run(
        "lea", "directive", "show", "D-000009", error=UserError
    )


def test_dates_are_days_of_utc_or_whole_times():
    assert inputs.parse_date("1970-01-02", "--to") == inputs.DAY_MS
    assert inputs.parse_date("1970-01-01T00:00:01Z", "--to") == 1000
    assert inputs.parse_date("1970-01-01", "--to", end_of_day=True) == inputs.DAY_MS - 1
    for bad in ("tomorrow", "2015-02-30", "1970-01-01T00:00:01", "1969-12-31T00:00:00Z"):
        with pytest.raises(UserError):
            inputs.parse_date(bad, "--to")


def test_a_document_must_be_there(tmp_path):
    empty = tmp_path / "empty"
    empty.touch()
    for path in (empty, tmp_path / "none", tmp_path):
        with pytest.raises(UserError):
            fields.read_file(path)


def test_a_choice_that_there_is_not_names_those_that_there_are():
    with pytest.raises(UserError, match="sealed-mail"):
        inputs.parse_choices(["everything"], directives.CATEGORIES, "--category")


def test_no_option_names_everybody():
    """Whatever is added: a directive is of accounts named one by one."""
    from typer.main import get_command

    from blackthorn.cli import main as cli

    family = get_command(cli.app).commands["directive"]
    names = {
        name for each in family.commands.values() for option in each.params for name in option.opts
    }
    assert not {name for name in names if name.strip("-") in ("all", "keyword", "search", "feed")}
    assert "--account" in names


def test_an_earlier_history_is_noticed(world, demand):
    received(world, demand)
    world.run("lea", "directive", "list")
    world.office.decisions.pop()
    text = world.run("lea", "directive", "list", error=SecurityError)
    assert "earlier history" in text and "Nothing was signed" in text


@pytest.mark.parametrize("hours", [2, 365 * 24])
def test_what_has_happened_is_not_later_than_the_ledgers_time(world, demand, hours):
    later = world.office.now_ms + hours * 3_600_000
    late = datetime.fromtimestamp(later / 1000, UTC).isoformat()
    refused = world.run("lea", *demand, "--received", late, *NAMED, error=UserError)
    assert "--received is later than the ledger's time" in refused
    assert world.office.cases.next_directive() == "D-000001"
    case = verified(world, demand)
    words = ("directive", "contest", case, "--court", "C", "--filed", late)
    assert "--filed is later" in world.run("lea", *words, error=UserError)
