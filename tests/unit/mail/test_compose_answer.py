"""Replies and forwards: to whom, in which thread, with what quoted."""

import pytest

from blackthorn.errors import UserError
from blackthorn.mail.compose import limits
from blackthorn.mail.compose.answer import (
    forward_thread,
    names,
    quotation,
    reply_recipients,
    reply_thread,
)
from blackthorn.mail.mime.fields import Field
from blackthorn.mail.mime.structure import parse

OWN = "alice@acme.example"


def fields(*lines: str) -> list[Field]:
    return parse("".join(f"{line}\r\n" for line in lines).encode() + b"\r\nhi\r\n").fields


FROM_BOB = (
    "From: Bob <bob@example.net>",
    "To: Alice <alice@acme.example>, Carol <carol@acme.example>",
    "Cc: dora@example.org, BOB@example.net",
    "Subject: Re: AW: the plan",
    "Message-ID: <3@example.net>",
    "References: <1@example.net> <2@example.net>",
    "Date: Mon, 30 Nov 2026 10:00:00 +0000",
)


def people(*lines: str, everybody: bool = False) -> tuple[list[str], list[str]]:
    to, cc = reply_recipients(fields(*lines), OWN, everybody=everybody)
    return [one.address for one in to], [one.address for one in cc]


def test_a_reply_goes_to_the_author() -> None:
    assert people(*FROM_BOB) == (["bob@example.net"], [])


def test_a_reply_to_all_goes_to_each_once_and_not_to_oneself() -> None:
    expected = ["bob@example.net"], ["carol@acme.example", "dora@example.org"]
    assert people(*FROM_BOB, everybody=True) == expected


def test_reply_to_comes_before_from() -> None:
    assert people("Reply-To: list@example.net", *FROM_BOB)[0] == ["list@example.net"]


def test_a_reply_to_an_own_mail_goes_to_its_recipients() -> None:
    own = ("From: alice@acme.example", "To: bob@example.net", "Cc: carol@acme.example")
    assert people(*own) == (["bob@example.net"], [])
    assert people(*own, everybody=True) == (["bob@example.net"], ["carol@acme.example"])


@pytest.mark.parametrize("line", ["From: nobody", "From: <>", "X: y", "From: " + "(" * 5_000])
def test_a_mail_that_names_nobody_has_no_reply(line: str) -> None:
    with pytest.raises(UserError, match="nobody else to reply to"):
        people(line)


@pytest.mark.parametrize(("others", "told"), [(0, True), (500, True), (5_000, None)])
def test_nobody_is_said_to_be_unnamed_in_a_list_of_which_a_part_is_read(
    others: int, told: bool | None
) -> None:
    """Also a reader whom it names after more people than a reply goes to."""
    before = "".join(f"p{number}@x.example, " for number in range(others))
    for line in ("To: {0}Alice+news@ACME.example", "Cc: {0}<alice@acme.example>"):
        assert names(fields(line.format(before)), OWN) is told
    assert names(fields(f"To: {before}bob@x.example"), OWN) is (told and False)


def test_a_name_cannot_become_an_address() -> None:
    encoded = "From: =?utf-8?b?PGV2ZUBldmlsLmV4YW1wbGU+LA==?= <bob@example.net>"
    assert people(encoded) == (["bob@example.net"], [])


def test_the_thread_goes_on() -> None:
    thread = reply_thread(fields(*FROM_BOB))
    assert thread.subject == "Re: the plan"
    assert thread.in_reply_to == "<3@example.net>"
    assert thread.references == ("<1@example.net>", "<2@example.net>", "<3@example.net>")


def test_a_long_thread_keeps_its_first_and_its_newest_ids() -> None:
    ids = [f"<{number}@example.net>" for number in range(200)]
    known = fields("Message-ID: <last@example.net>", "References: " + " ".join(ids))
    thread = reply_thread(known)
    assert len(thread.references) == limits.MAX_REFERENCES
    assert thread.references[0] == ids[0] and thread.references[-1] == "<last@example.net>"


def test_strange_ids_are_left_out() -> None:
    strange = f"Message-ID: <{'x' * 300}@example.net>"
    assert reply_thread(fields(strange, "References: no <@> <a b@c> <é@x.example>")).references in (
        (),
        ("<@>",),
    )
    assert reply_thread(fields(strange)).in_reply_to == ""


def test_a_forwarded_mail_begins_its_own_thread() -> None:
    thread = forward_thread(fields("Subject: Fwd: FW: news", "Message-ID: <1@x.example>"))
    assert (thread.subject, thread.in_reply_to, thread.references) == ("Fwd: news", "", ())


def test_the_text_is_quoted() -> None:
    said = quotation(fields(*FROM_BOB), "first\n\n> older\n")
    assert said == (
        "On Mon, 30 Nov 2026 10:00:00 +0000, Bob <bob@example.net> wrote:\n> first\n>\n>> older\n"
    )
    assert "[... cut here]" in quotation(fields(*FROM_BOB), "x" * (limits.MAX_QUOTED_BYTES + 1))
