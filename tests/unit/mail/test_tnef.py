"""winmail.dat: text and files, as another reader sees them; damaged ones end without harm."""

import base64

import pytest
from tnefparse import TNEF

from blackthorn.mail.render import limits as render_limits
from blackthorn.mail.render.render import RenderedMail, render
from blackthorn.mail.unpack import limits
from blackthorn.mail.unpack.tnef import SIGNATURE, read_tnef

HEAD = SIGNATURE + b"\x01\x00"


def attribute(level: int, identifier: int, kind: int, value: bytes) -> bytes:
    """One attribute with its checksum (MS-OXTNEF, 2.1.3.1)."""
    head = bytes([level]) + identifier.to_bytes(2, "little") + kind.to_bytes(2, "little")
    checksum = (sum(value) & 0xFFFF).to_bytes(2, "little")
    return head + len(value).to_bytes(4, "little") + value + checksum


def sized(value: bytes) -> bytes:
    return len(value).to_bytes(4, "little") + value + bytes(-len(value) % 4)


def properties(*values: tuple[int, int, bytes]) -> bytes:
    """Properties of text or bytes: tag, type, value (MS-OXTNEF, 2.1.3.4)."""
    coded = b"".join(
        kind.to_bytes(2, "little") + tag.to_bytes(2, "little") + b"\1\0\0\0" + sized(value)
        for tag, kind, value in values
    )
    return len(values).to_bytes(4, "little") + coded


def file(name: str, data: bytes) -> bytes:
    long_name = properties((0x3707, 31, name.encode("utf-16-le") + b"\0\0"))
    return (
        attribute(2, 0x9002, 6, bytes(14))
        + attribute(2, 0x8010, 1, b"SHORT~1.TXT\0")
        + attribute(2, 0x800F, 6, data)
        + attribute(2, 0x9005, 6, long_name)
    )


def in_a_mail(winmail: bytes, parameters: bytes = b"") -> RenderedMail:
    """A mail of nothing else, as it is shown."""
    head = b"Content-Type: application/ms-tnef" + parameters
    coded = base64.encodebytes(winmail).replace(b"\n", b"\r\n")
    return render(head + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + coded)


CODE_PAGE = attribute(1, 0x9007, 6, (1252).to_bytes(4, "little") + bytes(4))
WINMAIL = (
    HEAD
    + CODE_PAGE
    + attribute(1, 0x9003, 6, properties((0x1000, 30, "Grüße\0".encode("cp1252"))))
    + file("a long name.txt", b"content")
    + file("Zweite Datei.pdf", b"%PDF")
)


def test_a_winmail_is_read_as_another_reader_reads_it() -> None:
    found, other = read_tnef(WINMAIL), TNEF(WINMAIL)
    assert found is not None and found.text == "Grüße"
    assert [(each.name, each.data) for each in found.files] == [
        (each.long_filename(), each.data) for each in other.attachments
    ]
    assert found.files[0].name == "a long name.txt" and found.files[1].data == b"%PDF"


def test_its_files_are_the_mails_attachments() -> None:
    mail = in_a_mail(WINMAIL)
    assert mail.text == "Grüße"
    assert [each.name for each in mail.attachments] == ["a long name.txt", "Zweite Datei.pdf"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        SIGNATURE,
        HEAD + b"\x01\x03\x90\x06\x00\xff\xff\xff\xff",
        HEAD + attribute(2, 0x800F, 6, b"data of no file"),
        HEAD + CODE_PAGE[:-6],
        HEAD + attribute(1, 0x9003, 6, b"\xff\xff\xff\xff"),
        HEAD + attribute(1, 0x9003, 6, b"\1\0\0\0\x1e\x10\x00\x10\xff\xff\xff\xff"),
        HEAD + attribute(1, 0x9003, 6, b"\1\0\0\0\x99\x00\x00\x10"),
    ],
)
def test_damaged_ones_have_nothing(data: bytes) -> None:
    found = read_tnef(data)
    assert found is None or (not found.files and not found.text)


def test_fill_behind_the_last_attribute_is_none_of_it() -> None:
    found = read_tnef(WINMAIL + b"\0\0\r\n" * 9)
    assert found is not None and found.complete and len(found.files) == 2


def test_files_before_and_behind_the_damage_are_kept() -> None:
    found = read_tnef(WINMAIL[:-30])
    assert found is not None and found.files[0].data == b"content" and not found.complete
    damaged = attribute(2, 0x9005, 6, b"\1\0\0\0\x99\x00\x00\x10")
    found = read_tnef(HEAD + file("a", b"1") + damaged + file("b", b"2"))
    assert found is not None and [each.data for each in found.files] == [b"1", b"2"]
    assert not found.complete


def test_values_that_take_no_octets_are_not_counted_on() -> None:
    """A count of them would cost its sender nothing and us everything."""
    many_nothings = b"\1\0\0\0\x01\x10\x00\x60" + (1_000).to_bytes(4, "little")
    nothing = b"\1\0\0\0\x01\x00\x00\x60"
    for value, complete in ((many_nothings, False), (nothing, True)):
        found = read_tnef(HEAD + attribute(1, 0x9003, 6, value) + file("a", b"1"))
        assert found is not None and found.complete == complete and found.files[0].data == b"1"


WRITTEN_FOR_OUTLOOK = [
    HEAD + attribute(1, 0x9003, 6, properties((0x1009, 258, b"rtf"))),
    HEAD + file("a.msg", b"") + attribute(2, 0x9005, 6, properties((0x3701, 13, b"an object"))),
    WINMAIL[:-30],
    HEAD + file("x", b"y") * (limits.MAX_UNPACKED_FILES + 1),
    WINMAIL + b"\0" * 9 + b"more",
    HEAD + CODE_PAGE * (limits.MAX_TNEF_ATTRIBUTES + 1),
]


@pytest.mark.parametrize("winmail", WRITTEN_FOR_OUTLOOK)
def test_what_is_not_unpacked_is_said_and_can_be_saved(winmail: bytes) -> None:
    mail = in_a_mail(winmail)
    assert (mail.attachments[-1].name, mail.files[-1]) == ("winmail.dat", winmail)
    assert "winmail.dat" in mail.notes[0]


def test_a_text_in_rtf_beside_another_is_not_missed() -> None:
    winmail = HEAD + attribute(1, 0x9003, 6, properties((0x1009, 258, b"rtf"))) + file("a", b"1")
    coded = base64.encodebytes(winmail).replace(b"\n", b"\r\n")
    mail = render(
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\n"
        b"Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + coded
        + b"\r\n--b--\r\n"
    )
    assert (mail.text, mail.notes) == ("hello", ())
    assert [each.name for each in mail.attachments] == ["a"]


def test_its_html_is_shown_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    page = b"<p>seen<p style='display:none'>unseen"
    winmail = HEAD + attribute(1, 0x9003, 6, properties((0x1013, 258, page)))
    mail = in_a_mail(winmail)
    assert (mail.text, mail.notes) == ("seen", ("hidden in the HTML, 6 characters: unseen",))
    monkeypatch.setattr(render_limits, "MAX_HTML_ATTRIBUTES", 0)
    bare = in_a_mail(winmail)
    assert bare.text == "seen\nunseen" and bare.files == (winmail,)


def test_its_text_is_shown_beside_another_text() -> None:
    words = " ".join(f"word{number}" for number in range(20))
    winmail = HEAD + attribute(1, 0x9003, 6, properties((0x1000, 30, words.encode())))
    coded = base64.encodebytes(winmail).replace(b"\n", b"\r\n")
    for text, shown in (("A footer", f"A footer\n\n{words}"), (words, words)):
        mail = render(
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
            + text.encode()
            + b"\r\n--b\r\nContent-Type: application/ms-tnef\r\n"
            + b"Content-Transfer-Encoding: base64\r\n\r\n"
            + coded
            + b"--b--\r\n"
        )
        assert mail.text == shown and not mail.attachments


def test_a_winmail_of_nothing_else_is_a_file() -> None:
    mail = in_a_mail(HEAD, b"; name=winmail.dat")
    assert [each.name for each in mail.attachments] == ["winmail.dat"]


def test_files_have_a_bound() -> None:
    found = read_tnef(HEAD + file("x", b"y") * (limits.MAX_UNPACKED_FILES + 3))
    assert found is not None and len(found.files) == limits.MAX_UNPACKED_FILES
    assert {(each.name, each.data) for each in found.files} == {("x", b"y")}
