"""Foreign mail as its author meant it: every part that is to be read is shown, in order."""

import base64
import binascii

import pytest

from blackthorn.mail import limits as mail_limits
from blackthorn.mail.errors import SealBrokenError
from blackthorn.mail.render import bodies, limits, parts
from blackthorn.mail.render.html import HtmlBudget
from blackthorn.mail.render.render import RenderedMail, render, render_head
from blackthorn.mail.render.walk import MESSAGE, SEALED, SIGNED
from tests.support.work import Work

MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
PNG = b"Content-Type: image/png\r\nContent-Disposition: inline; filename=p.png\r\n\r\nxx\r\n"


def multipart(kind: str, *parts: bytes, boundary: str = "b") -> bytes:
    """A multipart of parts that are fields, an empty line and a body."""
    head = f"Content-Type: multipart/{kind}; boundary={boundary}\r\n\r\n".encode()
    delimiter = f"--{boundary}".encode()
    return (
        head + b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts) + delimiter + b"--"
    )


def plain(text: str) -> bytes:
    return b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode()


def html(text: str) -> bytes:
    return b"Content-Type: text/html; charset=utf-8\r\n\r\n" + text.encode()


def names(mail: RenderedMail) -> list[str]:
    return [attachment.name for attachment in mail.attachments]


def test_an_html_mail_with_a_plain_footer_shows_both() -> None:
    mail = render(multipart("mixed", html("<p>The offer</p>"), plain("A list's footer")))
    assert mail.text == "The offer\n\nA list's footer" and mail.attachments == ()


def test_a_blank_alternative_does_not_hide_the_html() -> None:
    for blank in ("", " \r\n\xa0", "\r\n\r\n"):
        assert render(multipart("alternative", plain(blank), html("<p>hello"))).text == "hello"


def test_an_alternative_that_only_points_to_the_html_is_not_taken() -> None:
    page = " ".join(f"<p>word{number}</p>" for number in range(60))
    mail = render(multipart("alternative", plain("Your program cannot show this."), html(page)))
    assert mail.text.startswith("word0") and "says less" in mail.notes[0]


def test_other_words_in_the_html_are_said_and_shown_on_request() -> None:
    told = " ".join(f"plain{number}" for number in range(40))
    meant = " ".join(f"html{number}" for number in range(40))
    content = multipart("alternative", plain(told), html(meant))
    assert render(content).text == told and "40 other words" in render(content).notes[0]
    assert render(content, prefer_html=True).text == meant


def test_versions_that_were_not_compared_are_attached() -> None:
    three = render(multipart("alternative", plain("one"), plain("two"), html("h"), html("<p>one")))
    assert three.text == "one" and names(three) == ["unnamed.txt", "unnamed.html"]
    assert three.files == (b"two", b"h")
    assert render(multipart("alternative", html("<p>one"), html("<p>two"))).files == (b"<p>one",)
    assert not render(multipart("alternative", plain(""), html("<p>one"))).files


def test_all_texts_of_a_version_are_compared() -> None:
    page = " ".join(f"<p>word{number}</p>" for number in range(60))
    inner = multipart("mixed", html("<p>one"), html(page), boundary="c")
    mail = render(multipart("alternative", plain("one"), inner))
    assert "word0" in mail.text and "says less" in mail.notes[0]


def test_versions_are_compared_by_their_first_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_MAX_WORDS", 5)
    page = " ".join(f"<p>word{number}</p>" for number in range(60))
    assert render(multipart("alternative", plain("Short."), html(page))).text == "Short."


def test_text_behind_an_inline_picture_is_text() -> None:
    mail = render(multipart("mixed", plain("before"), PNG, plain("after")))
    assert mail.text == "before\n\n[picture: p.png]\n\nafter" and names(mail) == ["p.png"]


def test_attachments_within_an_alternative_are_not_lost() -> None:
    pdf = b"Content-Type: application/pdf; name=a.pdf\r\n\r\nxx"
    inner = multipart("mixed", html("<p>hi"), pdf, html("<p>bye"), boundary="c")
    mail = render(multipart("alternative", plain("hi and bye"), inner))
    assert mail.text == "hi and bye" and names(mail) == ["a.pdf"]


def test_a_forwarded_message_is_shown_and_named() -> None:
    forwarded = (
        b"Content-Type: message/rfc822\r\n\r\n"
        b"From: carol@example.net\r\nSubject: plan\r\n\r\nAt dawn"
    )
    mail = render(multipart("mixed", plain("look"), forwarded, plain("well?")))
    first, message, last = mail.sections
    assert (first.text, message.head, last.text) == ("look", MESSAGE, "well?")
    assert message.text == "From: carol@example.net\nSubject: plan\n\nAt dawn"
    assert names(mail) == ["plan.eml"] and mail.files[0].endswith(b"At dawn")


def test_a_forwarded_message_in_base64_and_its_attachment() -> None:
    inner = multipart("mixed", plain("see"), PNG, boundary="c")
    coded = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    mail = render(multipart("mixed", coded + base64.encodebytes(inner).replace(b"\n", b"\r\n")))
    assert "see" in mail.text and names(mail) == ["message.eml", "p.png"]


def test_a_report_shows_why_a_mail_was_returned() -> None:
    status = b"Content-Type: message/delivery-status\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    mail = render(multipart("report", plain("It failed."), status))
    assert mail.text == "It failed.\n\nAction: failed\nStatus: 5.1.1" and not mail.attachments


def test_flowed_text_is_joined() -> None:
    head = b"Content-Type: text/plain; format=flowed%s\r\n\r\n"
    body = b"One \r\nparagraph.\r\n> quo \r\n> ted\r\n-- \r\nme\r\n"
    assert render(head % b"" + body).text == "One paragraph.\n> quo ted\n-- \nme"
    assert render(head % b"; delsp=yes" + b"sepa \r\nrated\r\n").text == "separated"


def test_only_fields_are_left_out_as_a_legacy_display() -> None:
    head = b"Content-Type: text/plain; hp-legacy-display=1\r\n\r\n"
    assert render(head + b"Subject: plan\r\nTo: a@x.example\r\n\r\nAt dawn\r\n").text == "At dawn"
    for body in ("Pay 100 to Bob", "Pay 100 to Bob\n\nthanks", "Subject: plan\nPay\n\nthanks"):
        assert render(head + body.replace("\n", "\r\n").encode()).text == body


def test_a_calendar_invitation_is_readable() -> None:
    calendar = (
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\n"
        b"SUMMARY:Plan\\, review\r\nDTSTART;TZID=Europe/Berlin:20290102T100000\r\n"
        b"ORGANIZER;CN=Bob:mailto:bob@example.net\r\nLOCATION:Room 5\r\nEND:VEVENT\r\n"
        b"END:VCALENDAR\r\n"
    )
    part = b"Content-Type: text/calendar; method=REQUEST\r\n\r\n"
    mail = render(multipart("alternative", plain("come"), part + calendar))
    assert "Invitation: Plan, review\n  Begins: 2029-01-02 10:00 Europe/Berlin" in mail.text
    assert "Where: Room 5\n  Organiser: Bob <bob@example.net>" in mail.text
    assert names(mail) == ["invitation.ics"]
    twice = render(multipart("mixed", part + calendar, part + calendar))
    assert twice.text.count("Invitation") == 1 and len(twice.attachments) == 2
    assert "cannot be read" in render(part + b"BEGIN:VCALENDAR\r\nEND:x").text


def signed_data(content: bytes) -> bytes:
    """A CMS SignedData (RFC 5652, 5.1) without signers, by its DER."""

    def der(tag: int, *values: bytes) -> bytes:
        body = b"".join(values)
        size = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
        return bytes([tag]) + size + body

    def identifier(last: int) -> bytes:
        return der(6, bytes.fromhex("2a864886f70d0107") + bytes([last]))

    inside = der(0x30, identifier(1), der(0xA0, der(4, content)))
    signed = der(0x30, der(2, b"\1"), der(0x31), inside, der(0x31))
    return der(0x30, identifier(2), der(0xA0, signed))


def test_the_text_of_an_smime_signature_is_shown_as_unchecked() -> None:
    head = b"Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\n"
    coded = base64.encodebytes(signed_data(plain("signed text")))
    mail = render(head + b"Content-Transfer-Encoding: base64\r\n\r\n" + coded)
    assert [(each.head, each.text) for each in mail.sections] == [
        (SIGNED.format("S/MIME"), "signed text")
    ]
    broken = render(head + b"\r\nno cms")
    assert broken.text == "" and names(broken) == ["smime.p7m"]


def test_only_the_signed_part_stands_below_the_signature() -> None:
    signature = b"Content-Type: application/pgp-signature\r\n\r\nx"
    signed = multipart("signed", plain("signed"), signature, boundary="c")
    mail = render(multipart("mixed", plain("before"), signed, plain("after")))
    assert [(each.head[:6], each.text) for each in mail.sections] == [
        ("", "before"),
        ("signed", "signed"),
        ("end: s", "after"),
    ]


def test_uuencoded_files_are_attachments() -> None:
    data = bytes(range(256)) * 3
    lines = [binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45)]
    coded = b"".join(lines).replace(b"\n", b"\r\n") + b"`\r\nend\r\n"
    mail = render(b"\r\nhello\r\nbegin 644 my file.bin\r\n" + coded + b"bye\r\n")
    assert mail.text == "hello\n\n[file: my file.bin]\n\nbye"
    assert names(mail) == ["my file.bin"] and mail.files == (data,)
    assert render(b"\r\nbegin 644 x\r\nnot coded\r\nend\r\n").text.startswith("begin 644 x")


def test_attachments_have_a_bound_and_more_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_SHOWN_ATTACHMENTS", 2)
    mail = render(b"\r\n" + b"begin 644 x\r\n`\r\nend\r\n" * 3)
    assert names(mail) == ["x", "x"] and len(mail.files) == 2
    assert "more attachments" in mail.notes[0]


def test_a_report_that_has_a_name_is_only_shown() -> None:
    report = b"Content-Type: message/delivery-status; name=details.txt\r\n\r\nAction: failed"
    mail = render(multipart("report", plain("It failed."), report))
    assert mail.text == "It failed.\n\nAction: failed" and not mail.attachments


def test_uuencode_as_a_transfer_encoding() -> None:
    head = b"Content-Type: image/png; name=p.png\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n"
    coded = binascii.b2a_uu(b"picture").replace(b"\n", b"\r\n")
    assert render(head + b"begin 644 p.png\r\n" + coded + b"`\r\nend\r\n").files == (b"picture",)


def test_the_charset_of_an_html_part_may_stand_in_it() -> None:
    page = (
        b'<html><head><meta http-equiv=x content="text/html; charset=koi8-r"></head>\xf0\xd2</html>'
    )
    assert render(b"Content-Type: text/html\r\n\r\n" + page).text == "Пр"


def test_hidden_text_and_remote_pictures_are_said() -> None:
    page = '<p style="display:none">secret preview</p><img src="https://spy.example/p.gif">shown'
    mail = render(html(page))
    assert mail.text == "shown"
    assert mail.notes == (
        "hidden in the HTML, 14 characters: secret preview",
        "pictures or styles elsewhere, not fetched: spy.example",
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b'Bob <b@x.example>, "C, D" <c@x.example>', 'Bob <b@x.example>, "C, D" <c@x.example>'),
        (b"=?utf-8?q?Boss_=3Cboss=40acme=3E?= <e@x.example>", '"Boss <boss@acme>" <e@x.example>'),
        (b"=?utf-8?q?a=2C_b?= <e@x.example>", '"a, b" <e@x.example>'),
        (b"group: a@x.example, b@x.example;", "group: a@x.example, b@x.example;"),
        (b"=?utf-8?q?Andr=C3=A9?= <a@x.example> ", "André <a@x.example>"),
        (b"<a@x.example", "<a@x.example>"),
        (
            b'"boss@acme ' + b"b" * 2_000 + b'" <e@x.example>',
            '"boss@acme ' + "b" * (mail_limits.MAX_RENDERED_NAME_CHARS - 10) + ' …" <e@x.example>',
        ),
        (b"plain words", "plain words"),
    ],
)
def test_a_name_is_not_taken_for_an_address(value: bytes, shown: str) -> None:
    assert render(b"From: " + value + b"\r\n\r\n").sender == shown


ARMORED = b"-----BEGIN PGP MESSAGE-----\r\n\r\nabc\r\n-----END PGP MESSAGE-----"


def sealed_mail(subject: bytes = b"...") -> bytes:
    control = b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1"
    body = b"Content-Type: application/octet-stream\r\n\r\n" + ARMORED
    return (
        b"From: e@x.example\r\nSubject: "
        + subject
        + b"\r\n"
        + multipart("encrypted", control, body)
    )


def test_what_its_sender_sealed_is_opened_and_stands_apart() -> None:
    def opener(armored: bytes) -> bytes:
        assert armored == ARMORED
        return b"Subject: real\r\n" + multipart("mixed", plain("inside"), PNG, boundary="s")

    mail = render(sealed_mail(), opener)
    assert (mail.subject, mail.sender, mail.unopened) == ("real", "e@x.example", False)
    assert [(each.head, each.text) for each in mail.sections] == [
        (SEALED, "inside\n\n[picture: p.png]")
    ]
    listed = render(multipart("mixed", sealed_mail(), plain("footer"), boundary="o"), opener)
    assert [each.text for each in listed.sections][-1] == "footer"
    assert listed.subject == ""  # only a mail that is sealed as a whole has sealed fields


def test_a_part_behind_the_sealed_one_is_attached() -> None:
    content = sealed_mail().removesuffix(b"--") + b"\r\n" + plain("added") + b"\r\n--b--"
    mail = render(content, lambda _: plain("inside"))
    assert [each.text for each in mail.sections] == ["inside"] and mail.files == (b"added",)


def test_another_sender_outside_the_seal_is_said() -> None:
    mail = render(sealed_mail(), lambda _: b"From: real@x.example\r\n\r\nhi")
    assert mail.sender == "real@x.example" and "e@x.example" in mail.notes[0]


def test_inline_openpgp_is_opened_in_place() -> None:
    signed = (
        b"-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA512\r\n\r\n- -signed\r\n"
        b"-----BEGIN PGP SIGNATURE-----\r\n\r\nx\r\n-----END PGP SIGNATURE-----"
    )
    mail = render(b"\r\nbefore\r\n" + ARMORED + b"\r\nbetween\r\n" + signed, lambda _: b"secret")
    texts = [each.text for each in mail.sections]
    assert texts == ["before", "secret", "between", "-signed"] and mail.sealed


def test_what_cannot_be_opened_says_why() -> None:
    def opener(armored: bytes) -> bytes:
        raise SealBrokenError("sealed to another key")

    mail = render(sealed_mail(), opener)
    assert mail.unopened and mail.notes[0].endswith("sealed to another key")
    assert [attachment.type for attachment in mail.attachments][1] == "application/octet-stream"


def test_sealed_parts_within_each_other_have_a_bound() -> None:
    opened = []

    def opener(armored: bytes) -> bytes:
        opened.append(armored)
        return sealed_mail()

    assert render(sealed_mail(), opener).unopened
    assert len(opened) == limits.MAX_OPENED_PARTS


def test_lines_have_a_bound() -> None:
    text = render(b"\r\n" + b"x\r\n" * (limits.MAX_RENDERED_LINES + 5)).text
    assert text.endswith("[… cut here]") and text.count("\n") == limits.MAX_RENDERED_LINES


@pytest.mark.parametrize(
    "first",
    ["x\r\n" * (limits.MAX_RENDERED_LINES - 1) + "x", "x" * mail_limits.MAX_RENDERED_CHARS],
)
def test_a_text_for_which_no_room_is_left_is_said(first: str) -> None:
    mail = render(multipart("mixed", plain(first), plain("second")))
    assert "second" not in mail.text and "more text" in mail.notes[0]
    assert not render(multipart("mixed", plain(first), plain(""))).notes


def test_the_parts_of_a_mail_share_one_bound_of_html_and_one_of_calendars() -> None:
    page = html("<b>x</b>" * (limits.MAX_HTML_TOKENS // 9))
    with Work() as work:
        mail = render(multipart("mixed", *[page] * 20))
    assert "too complex" in mail.notes[0] and work.calls < 120 * limits.MAX_HTML_TOKENS
    calendar = b"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
    assert len(render(multipart("mixed", *[calendar] * 20)).attachments) == 20


def test_texts_beside_the_root_of_a_related_are_attached() -> None:
    other = b"Content-Type: text/plain\r\n\r\nbeside"
    related = multipart("related", html("<p>hello"), other, PNG, boundary="r")
    mail = render(related)
    assert mail.text == "hello" and names(mail) == ["unnamed.txt", "p.png"]
    assert mail.files[0] == b"beside"
    chosen = render(multipart("alternative", plain("hello"), related))
    assert chosen.text == "hello" and names(chosen) == ["unnamed.txt", "p.png"]
    with_versions = multipart("alternative", plain("p"), html("h"), boundary="v")
    both = render(multipart("related", html("<p>hello"), with_versions, boundary="r"))
    assert names(both) == ["unnamed.txt", "unnamed.html"]


def test_a_report_is_decoded() -> None:
    head = (
        b"Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    status = base64.encodebytes("Diagnostic-Code: smtp; Grüße".encode())
    assert render(multipart("report", head + status)).text == "Diagnostic-Code: smtp; Grüße"


def test_html_that_is_cut_is_attached_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_HTML_ATTRIBUTES", 1)
    page = b"Content-Type: text/html; name=page.html\r\n\r\n<p>text<a b=1 c=2 d=3>end"
    mail = render(page)
    assert (mail.text, names(mail)) == ("textend", ["page.html"])
    assert "too complex" in mail.notes[0]
    unnamed = render(page.replace(b"; name=page.html", b""))
    assert names(unnamed) == ["unnamed.html"]


def test_the_parts_of_a_mail_share_one_bound_of_characters_of_html(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parts, "HtmlBudget", lambda: HtmlBudget(chars=21))
    mail = render(multipart("mixed", *[html("<p>first part")] * 2))
    assert mail.text == "first part\n\nfirst\n\n[… cut here]" and names(mail) == ["unnamed.html"]


def test_messages_within_each_other_do_not_multiply_the_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    message = plain("inmost " + "x" * 1_000)
    for _ in range(5):
        message = b"Content-Type: message/rfc822\r\n\r\n" + message
    monkeypatch.setattr(limits, "MAX_ATTACHED_MESSAGE_BYTES", 2_500)
    mail = render(message)
    assert "inmost" in mail.text and len(mail.files) == 2
    assert "too large to be saved" in mail.notes[0]


def test_a_message_in_an_encoding_is_decoded_within_the_same_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    message = plain("inmost " + "x" * 1_000)
    coded = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    for _ in range(5):
        message = coded + message.replace(b"=", b"=3D")
    monkeypatch.setattr(limits, "MAX_ATTACHED_MESSAGE_BYTES", 3_500)
    mail = render(message)
    assert len(mail.files) == 2 and "inmost" not in mail.text
    assert "too large to be saved" in mail.notes[0]


def test_a_part_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []

    def counted(body: bytes, encoding: bytes) -> bytes:
        decoded.append(body)
        return body

    monkeypatch.setattr(parts, "decode_transfer", counted)
    mail = render(multipart("alternative", plain("text"), html("<p>text")))
    assert mail.text == "text" and sorted(decoded) == [b"<p>text", b"text"]


def test_a_list_opens_only_a_seal_around_the_whole_mail() -> None:
    opened: list[bytes] = []

    def opener(armored: bytes) -> bytes:
        opened.append(armored)
        return b"Subject: real\r\n" + multipart("mixed", sealed_mail(), plain("x"), boundary="i")

    assert render_head(sealed_mail(), opener).subject == "real" and len(opened) == 1
    assert render_head(multipart("mixed", sealed_mail(), boundary="o"), opener).subject == ""
    assert len(opened) == 1
