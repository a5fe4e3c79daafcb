"""A closure's statement holds, and each rule finds what breaks it."""

import base64
import json
from dataclasses import replace

import pytest

from blackthorn.directory.fields import decode_map, encode_map
from blackthorn.errors import VerificationError
from blackthorn.governance import limits as governance_limits
from blackthorn.governance.closure.check import (
    check_person,
    check_receipt,
    check_statement,
    exit_of,
)
from blackthorn.governance.closure.receipt import decode_placed
from blackthorn.governance.closure.rules import RULES
from blackthorn.governance.package.layout import document
from blackthorn.governance.transitions import Case
from blackthorn.link import limits as link_limits
from blackthorn.tlog.merkle import MerkleLog
from tests.support.closures import PEOPLE, Closed, closed

BROKEN: set[str] = set()


@pytest.fixture(scope="module")
def made() -> Closed:
    return closed()


def breaks(rule: str, made: Closed, data: bytes, case: Case | None = None, register=None) -> None:
    BROKEN.add(rule)
    with pytest.raises(VerificationError) as caught:
        check_statement(data, register, case or made.walk.case)
    assert caught.value.rule == rule, caught.value


def edited(made: Closed, *path, to) -> bytes:
    """The file with one value of it changed."""
    value = json.loads(made.data)
    place = value
    for each in path[:-1]:
        place = place[each]
    place[path[-1]] = to(place[path[-1]]) if callable(to) else to
    return document(value)


def test_it_holds_by_itself_and_by_the_ledger(made: Closed) -> None:
    assert exit_of(made.data) == "X-PK-1"
    for register in (None, made.register):
        statement, placed = check_statement(made.data, register, made.walk.case)
        assert statement == made.statement and placed is None
    own = made.placed[2]
    assert check_statement(made.data, None, made.walk.case, own.encode())[1] == own


def test_the_tree_is_that_of_rfc_9162_over_the_public_parts(made: Closed) -> None:
    receipts = [each.receipt for each in made.placed]
    log = MerkleLog(each.public for each in receipts)
    assert log.root() == made.statement.root
    public = decode_map(receipts[1].public, "C15", "it")
    assert set(public) == {
        "exit",
        "who",
        "notified",
        "read",
        "exported",
        "moved",
        "forwarded",
        "mails",
        "parcels",
    }


@pytest.mark.parametrize(
    ("rule", "path", "to"),
    [
        ("C1", ("statement", "format"), "blackthorn-closure-2"),
        ("C1", ("statement", "exit"), "X-PK"),
        ("C1", ("statement", "exit"), "X-DE-1"),
        ("C1", ("statement", "market"), "DE"),
        ("C1", ("statement", "persons"), {}),
        ("C1", ("statement", "persons", "read"), -1),
        ("C1", ("statement", "persons", "read"), True),
        ("C1", ("statement", "persons", "read"), 3.0),
        ("C1", ("statement", "prepared_ms"), 2**53),
        ("C1", ("statement", "receipts", "root"), "00"),
        ("C1", ("statement", "receipts", "leaves", 0), 7),
        ("C1", ("statement", "samples", 0, "wrapped"), "?"),
        ("C1", ("statement", "samples", 0, "wrapped"), 5),
        ("C1", ("statement", "samples", 0, "result"), "it opened"),
        ("C1", ("statement", "destroyed_keys"), []),
        ("C1", ("statement", "destroyed_keys"), lambda keys: keys * 2),
        ("C1", ("statement", "tried_keys"), []),
        ("C1", ("signature",), None),
        ("C4", ("statement", "receipts", "size"), 4),
        ("C4", ("statement", "persons", "users"), 6),
        ("C5", ("statement", "receipts", "root"), "00" * 32),
        ("C5", ("statement", "receipts", "leaves", 3), "11" * 32),
        ("C5", ("statement", "receipts", "leaves"), lambda leaves: leaves[::-1]),
        ("C6", ("statement", "persons", "read"), 6),
        ("C6", ("statement", "persons", "held"), 1),
        ("C7", ("statement", "samples", 1, "sha256"), "00" * 32),
        ("C7", ("statement", "samples", 1, "wrapped"), base64.b64encode(b"x" * 90).decode()),
        ("C8", ("statement", "samples", 0, "opened"), 1),
        ("C8", ("statement", "tried_keys", "PK"), "00" * 32),
        ("C9", ("statement", "destroyed_keys", 0, "market"), "DE"),
        ("C9", ("statement", "destroyed_keys", 0, "destroyed_ms"), 5),
        ("C11", ("statement", "persons", "read"), 2),
        ("C11", ("statement", "persons", "unreachable"), 1),
        ("C11", ("statement", "destroyed_keys", 0, "fingerprint"), "00" * 32),
        ("C12", ("statement", "deleted", "mails"), 11),
        ("C12", ("statement", "deleted", "parcels"), 9),
        ("C12", ("statement", "samples"), lambda samples: samples[:1]),
        ("C13", ("statement", "tried_keys", "DE"), "00" * 32),
        ("C13", ("statement", "prepared_ms"), lambda at: at - 1),
        ("C14", ("statement", "backups_end_ms"), lambda at: at + 1),
        ("C2", ("signature",), "none"),
        ("C2", ("signature",), lambda text: text.replace("X-PK-1", "X-PK-2")),
    ],
)
def test_whatever_is_changed_is_found_by_its_rule(made: Closed, rule: str, path, to) -> None:
    breaks(rule, made, edited(made, *path, to=to))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"statement": 5, "signature": ""}',
        b'{"statement": {"exit": 5}}',
    ],
)
def test_what_is_no_statement_is_refused(made: Closed, data: bytes) -> None:
    breaks("C1", made, data)


def test_another_form_of_the_same_json_is_refused(made: Closed, monkeypatch) -> None:
    breaks("C1", made, json.dumps(json.loads(made.data)).encode())
    breaks("C1", made, made.data + b"\n")
    breaks("C1", made, edited(made, "statement", "persons", to=lambda each: {**each, "more": 1}))
    value = json.loads(made.data) | {"more": 1}
    breaks("C1", made, document(value))
    monkeypatch.setattr(governance_limits, "MAX_CLOSURE_BYTES", len(made.data) - 1)
    breaks("C1", made, made.data)


def test_the_signature_is_the_registers(made: Closed) -> None:
    other = closed_key(made)
    breaks("C3", made, made.data, register=other)
    lines = json.loads(made.data)["signature"].splitlines(keepends=True)
    spoilt = lines[-1][:-10] + ("A" if lines[-1][-10] != "A" else "B") + lines[-1][-9:]
    breaks("C3", made, edited(made, "signature", to="".join([*lines[:-1], spoilt])))
    twice = "".join([*lines, lines[-1]])
    breaks("C3", made, edited(made, "signature", to=twice))


def closed_key(made: Closed):
    return replace(made.register, public=bytes(32))


def test_the_ledger_shows_that_it_is_closed(made: Closed) -> None:
    case = made.walk.case
    breaks("C10", made, made.data, Case("X-PK-1"))
    breaks("C10", made, made.data, replace(case, state="destroying"))
    breaks("C10", made, made.data, replace(case, id="X-PK-2"))
    plan = replace(case.history[0], public=case.history[0].public | {"market": "DE"})
    breaks("C10", made, made.data, replace(case, history=(plan, *case.history[1:])))


def test_the_registers_key_alone_does_not_make_another_statement_hold(made: Closed) -> None:
    breaks("C13", made, made.signed(destroyed_ms=made.statement.destroyed_ms + 1))
    breaks("C12", made, made.signed(mails=0))
    breaks("C11", made, made.signed(counts=made.statement.counts | {"exported": 5}))


# --- Receipts -------------------------------------------------------------------------------


def refused(rule: str, made: Closed, data: bytes) -> None:
    BROKEN.add(rule)
    with pytest.raises(VerificationError) as caught:
        check_receipt(data, made.statement)
    assert caught.value.rule == rule


def test_each_receipt_has_its_place(made: Closed) -> None:
    for number, placed in enumerate(made.placed):
        found = check_receipt(placed.encode(), made.statement)
        assert (found.place, found.size) == (number, PEOPLE)
        check_person(found.receipt, f"u{number}@acme.example")


def test_a_receipt_that_was_changed_is_not_in_the_tree(made: Closed) -> None:
    placed = made.placed[1]
    own = placed.receipt
    for other in (
        replace(own, mails=99),
        replace(own, read=True),
        replace(own, salt=bytes(32)),
        replace(own, address=made.placed[2].receipt.address),
    ):
        refused("C17", made, replace(placed, receipt=other).encode())
    refused("C17", made, replace(placed, place=2).encode())
    refused("C17", made, replace(placed, place=-1).encode())
    refused("C17", made, replace(placed, size=PEOPLE + 1).encode())
    refused("C17", made, replace(placed, proof=placed.proof[:-1]).encode())
    refused("C16", made, replace(placed, receipt=replace(own, exit="X-PK-2")).encode())
    refused("C16", made, replace(placed, receipt=replace(own, market="DE")).encode())


def test_what_is_no_receipt_is_refused(made: Closed) -> None:
    whole = made.placed[1].encode()
    fields = decode_map(whole, "C15", "it")
    inner = decode_map(fields["receipt"], "C15", "it")
    for data in (
        b"",
        whole[:-1],
        encode_map({}),
        encode_map(fields | {"more": 1}),
        encode_map(fields | {"v": 2}),
        encode_map(fields | {"proof": [1]}),
        encode_map(fields | {"receipt": encode_map(inner | {"read": 2})}),
        encode_map(fields | {"receipt": encode_map(inner | {"salt": b""})}),
        encode_map(fields | {"receipt": encode_map({})}),
        bytes(link_limits.MAX_RECEIPT_BYTES + 1),
    ):
        refused("C15", made, data)


def test_a_receipt_is_of_one_person(made: Closed) -> None:
    BROKEN.add("C18")
    with pytest.raises(VerificationError, match="C18"):
        check_person(decode_placed(made.placed[1].encode()).receipt, "u2@acme.example")


def test_every_rule_was_broken() -> None:
    """Of this file, in the order in which it is run."""
    assert set(RULES) == BROKEN
