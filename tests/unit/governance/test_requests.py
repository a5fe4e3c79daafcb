"""Forms of decisions: each fills its row of the table, and a request holds what was entered."""

import hashlib

import pytest

from blackthorn.errors import UserError
from blackthorn.governance import directives, exits, officers, warrant_canary
from blackthorn.governance.directive_requests import CANARY, FORMS, letter
from blackthorn.governance.exit_requests import FORMS as EXIT_FORMS
from blackthorn.governance.exit_requests import STAGES
from blackthorn.governance.officer_requests import (
    Person,
    appoint_request,
    dismiss_request,
    found_request,
)
from blackthorn.governance.requests import Context
from blackthorn.governance.transitions import Case, Step, find
from blackthorn.governance.values import check_fields
from blackthorn.identity.keys import ED25519_PUBLIC_BYTES, ML_DSA_PUBLIC_BYTES, VerifyKeys

NOW = 1_700_000_000_000
CLOSURE = {"destroy", "close"}
NOT_ENTERED = {
    "produce": {"manifest", "items", "accounts_with_data"},
    "plan": {"market", "users", "list"},
    "extend": {"announce_ms"},
}
"""Action → public fields that are measured, or follow from the plan, and that nobody enters."""

RECEIPT = {
    "kind": "production",
    "country": "pk",
    "authority": "Court",
    "basis": "B",
    "process": "order",
    "channel": "post",
    "received": "2015-07-24",
    "document": b"We demand.",
    "account": ["b@acme.example", "A@acme.example"],
    "category": ["ledger-entries", "sealed-mail"],
}


def received(*more: Step) -> Case:
    case = Case("D-000001")
    request = FORMS["receive"].request(Context(case, NOW, "acme.example"), RECEIPT)
    public = {**request.default, **request.public}
    step = Step(1, "receive", public, ("O-00000001",), NOW, NOW)
    return Case(case.id, "received", 1 + len(more), history=(step, *more))


def planned() -> Case:
    entered = {"reason": "R", "stop": "2024-06-01"}
    measured = {"market": "PK", "users": 2, "list": bytes(32)}
    request = EXIT_FORMS["plan"].request(Context(Case("X-PK-1"), NOW, measured=measured), entered)
    public = {**request.default, **request.public}
    return Case("X-PK-1", "draft", 1, history=(Step(1, "plan", public, (), NOW, NOW),))


def test_every_action_on_directives_and_exits_has_a_form():
    assert {move.action for move in directives.TRANSITIONS} == set(FORMS)
    assert {move.action for move in exits.TRANSITIONS} == set(EXIT_FORMS)
    assert [CANARY.move] == list(warrant_canary.TRANSITIONS)


@pytest.mark.parametrize(
    "form", [*FORMS.values(), *EXIT_FORMS.values(), CANARY], ids=lambda form: form.move.action
)
def test_a_form_fills_the_fields_of_its_row_and_no_other(form):
    action = form.move.action
    rows = set(form.move.public) | set(form.move.private)
    if form is EXIT_FORMS.get(action) and action in CLOSURE:
        assert not form.inputs, "the closure's numbers are counted, and entered by nobody"
        return
    filled = {entry.field for entry in form.inputs}
    assert filled | NOT_ENTERED.get(action, set()) == rows
    assert len({entry.name for entry in form.inputs}) == len(form.inputs)
    assert all(form.help_of(entry).endswith(".") for entry in form.inputs)


def test_every_stage_is_of_actions_whose_sources_are_its_states():
    for stage in STAGES.values():
        for state, action in {**stage.actions, **stage.without_notice}.items():
            assert state in find(exits.TRANSITIONS, action).sources
    drained = Case("X-PK-1", "closed")
    with pytest.raises(UserError, match="needs an exit that is announced or draining; next is"):
        STAGES["drain"].action(drained)


def test_a_receipt_holds_what_was_entered():
    request = FORMS["receive"].request(Context(Case("D-000001"), NOW, "acme.example"), RECEIPT)
    public, move = request.public, FORMS["receive"].move
    check_fields({**request.default, **public}, move.public, "a receipt")
    check_fields(request.private, move.private, "its private part")
    assert request.private["accounts"] == ["a@acme.example", "b@acme.example"]
    assert (public["accounts"], public["country"], public["unknown"]) == (2, "PK", 0)
    assert public["categories"] == ["sealed-mail", "ledger-entries"], "in the table's order"
    assert public["document"] == hashlib.sha256(b"We demand.").digest()


def test_the_last_day_of_a_period_counts_whole():
    entered = {**RECEIPT, "from": "2015-01-01", "to": "2015-01-01"}
    request = FORMS["receive"].request(Context(Case("D-000001"), NOW, "acme.example"), entered)
    assert request.public["to_ms"] - request.public["from_ms"] == 24 * 3_600_000 - 1


def test_what_is_required_is_asked_for_by_the_name_of_the_user_interface():
    context = Context(received(), NOW, label=lambda name: f"--{name}")
    with pytest.raises(UserError, match="--court is missing"):
        FORMS["contest"].request(context, {"filed": "2015-08-01"})
    with pytest.raises(UserError, match="--filed: 'soon' is not a date"):
        FORMS["contest"].request(context, {"court": "C", "filed": "soon"})


def test_an_input_left_empty_yields_to_another_proposal_or_does_not():
    lifted = FORMS["lift-gag"].request(Context(received(), NOW), {})
    assert (lifted.public, lifted.default) == ({}, {"order": None})
    assessed = FORMS["assess"].request(
        Context(received(), NOW), {"decision": "comply", "grounds": "G"}
    )
    assert assessed.public["deadline_ms"] == 0 and not assessed.default
    delivered = FORMS["deliver"].request(Context(received(), NOW), {})
    assert delivered.default == {"delivered_ms": NOW, "receipt": None}
    approved = FORMS["approve"].request(Context(received(), NOW), {})
    assert approved.default == {"categories": ["sealed-mail", "ledger-entries"]}


def test_the_letter_is_made_unless_another_one_is_entered():
    case = received()
    context = Context(case, NOW, "acme.example")
    made = FORMS["refuse"].request(context, {"reason": "not-lawful"})
    text = letter(case, "not-lawful", "acme.example")
    assert made.public["letter"] == hashlib.sha256(text).digest()
    own = FORMS["refuse"].request(context, {"reason": "not-lawful", "letter": b"No."})
    assert own.public["letter"] == hashlib.sha256(b"No.").digest()


def test_a_plan_names_what_compels_it_and_its_directive():
    measured = {"market": "PK", "users": 2, "list": bytes(32)}
    context = Context(Case("X-PK-1"), NOW, measured=measured)
    entered = {"reason": "R", "stop": "2024-06-01", "no-notice": True, "compelled": b"D"}
    request = EXIT_FORMS["plan"].request(context, {**entered, "directive": "d-000007"})
    assert (request.public["no_notice"], request.public["directive"]) == (1, "D-000007")
    check_fields({**request.default, **request.public}, EXIT_FORMS["plan"].move.public, "a plan")
    with pytest.raises(UserError, match="not a directive's id"):
        EXIT_FORMS["plan"].request(context, {**entered, "directive": "7"})
    alone = EXIT_FORMS["plan"].request(context, {"reason": "R", "stop": "2024-06-01"})
    assert alone.default["compelled"] is None and alone.default["no_notice"] == 0
    assert set(alone.public) == {"reason", "stop_ms", *measured}, "the rest yields"


def test_a_change_of_the_stop_moves_the_dates_after_it():
    case = planned()
    before = exits.dates(case)
    context = Context(case, NOW, show_time=lambda at_ms: f"t{at_ms}")
    entered = {"document": b"D", "stop": "2024-07-01", "forwarding-end": "2026-01-01"}
    request = EXIT_FORMS["extend"].request(context, entered)
    after, by = {**request.default, **request.public}, 30 * 24 * 3_600_000
    assert after["stop_ms"] == before["stop_ms"] + by
    assert after["retrieval_end_ms"] == before["retrieval_end_ms"] + by
    assert after["announce_ms"] == before["announce_ms"]
    assert set(request.public) == {"document", "stop_ms", "forwarding_end_ms"}
    check_fields(after, EXIT_FORMS["extend"].move.public, "an extension")
    assert f"stop t{before['stop_ms']}" in request.notes[1]


def test_requests_about_officers_fill_their_rows():
    keys = VerifyKeys(bytes(ED25519_PUBLIC_BYTES), bytes(ML_DSA_PUBLIC_BYTES))
    ann, bob = Person("ann@acme.example", keys), Person("bob@acme.example", keys)
    founding = found_request(ann, bob, ("O-00000001", "O-00000002"))
    appointing = appoint_request({}, None, "O-00000003", ann, ["legal"])
    dismissing = dismiss_request("O-00000001", "ann")
    for request in (founding, appointing, dismissing):
        move = find(officers.TRANSITIONS, request.action)
        check_fields({**request.default, **request.public}, move.public, request.action)
        check_fields(request.private, move.private, request.action)
    assert "officer" in appointing.default, "a new officer's id is the first proposer's"
