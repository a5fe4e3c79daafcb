"""The MIME tree: which parts there are, and where their bodies lie."""

import pytest

from blackthorn.mail.mime.fields import LineBudget, parse_parameters, split_fields
from blackthorn.mail.mime.structure import Part, parse, walk
from blackthorn.mail.smtp.path import NULL_SENDER, parse_path


def outline(content: bytes) -> list[tuple[int, str, bytes]]:
    """Depth, type and body of every part that holds content itself."""
    return [
        (part.depth, part.type.decode(), content[part.start : part.end])
        for part in walk(parse(content))
        if not part.children
    ]


def test_a_multipart_has_parts_without_preamble_and_epilogue() -> None:
    mail = (
        b'Content-Type: multipart/mixed; boundary="a b"\r\n\r\npreamble\r\n'
        b"--a b\r\n\r\none\r\n\r\n--a b  \r\nContent-Type: text/html\r\n\r\n<p>two\r\n"
        b"--a b--\r\nepilogue\r\n"
    )
    assert outline(mail) == [(1, "text/plain", b"one\r\n"), (1, "text/html", b"<p>two")]


def test_a_boundary_that_begins_another_is_told_apart() -> None:
    mail = (
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"
        b"--a\r\nContent-Type: multipart/mixed; boundary=ab\r\n\r\n"
        b"--ab\r\n\r\ninner\r\n--ab--\r\n--a\r\n\r\nouter\r\n--a--\r\n"
    )
    assert outline(mail) == [(2, "text/plain", b"inner"), (1, "text/plain", b"outer")]


def test_a_boundary_that_ends_in_dashes_is_no_end() -> None:
    mail = b"Content-Type: multipart/mixed; boundary=a--\r\n\r\n--a--\r\n\r\nx\r\n--a----\r\n"
    assert outline(mail) == [(1, "text/plain", b"x")]


def test_an_outer_boundary_ends_an_unfinished_inner_part() -> None:
    mail = (
        b"Content-Type: multipart/mixed; boundary=o\r\n\r\n"
        b"--o\r\nContent-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\nfirst\r\n"
        b"--o\r\n\r\nsecond\r\n--i\r\nstill second"
    )
    assert outline(mail) == [
        (2, "text/plain", b"first"),
        (1, "text/plain", b"second\r\n--i\r\nstill second"),
    ]


def test_a_header_ends_at_a_delimiter() -> None:
    mail = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nA: b\r\n--b\r\n\r\nx"
    assert outline(mail) == [(1, "text/plain", b""), (1, "text/plain", b"x")]


def test_a_digest_holds_messages() -> None:
    mail = b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: x\r\n\r\nbody"
    assert outline(mail) == [(2, "text/plain", b"body")]


def test_an_encoded_message_is_not_entered() -> None:
    mail = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQTog"
    assert outline(mail) == [(0, "message/rfc822", b"QTog")]


def test_the_walk_needs_no_stack() -> None:
    root = part = Part([], b"multipart/mixed", {}, b"", 0, 0, 0)
    for _ in range(100_000):
        part.children.append(Part([], b"multipart/mixed", {}, b"", 0, 0, 0))
        part = part.children[0]
    assert sum(1 for _ in walk(root)) == 100_001


@pytest.mark.parametrize(
    ("value", "main", "parameters"),
    [
        (b"Text/Plain", b"text/plain", {}),
        (b"a/b; C=d; e = f ;g", b"a/b", {b"c": b"d", b"e": b"f"}),
        (b'a/b; c="d;\\"e\\\\"; f=g', b"a/b", {b"c": b'd;"e\\', b"f": b"g"}),
        (b'a/b; c="unclosed; f=g', b"a/b", {b"c": b"unclosed; f=g"}),
        (b"a/b; c=1; c=2", b"a/b", {b"c": b"1"}),
        (b"", b"", {}),
        (b";;=;", b"", {}),
        (b"text/plain charset=x", b"text/plain", {b"charset": b"x"}),
        (b"a/b; c=d (e=f) g=h; i=j", b"a/b", {b"c": b"d", b"i": b"j"}),
        (b'a/b; c="d" e=f', b"a/b", {b"c": b"d", b"e": b"f"}),
        (
            b"a/b; filename=My x=1.pdf; c= d e ;f=g",
            b"a/b",
            {b"filename": b"My x=1.pdf", b"c": b"d e", b"f": b"g"},
        ),
        (b'"a/b" ; c=d', b"a/b", {b"c": b"d"}),
        (b"a / b; c=d", b"a/b", {b"c": b"d"}),
    ],
)
def test_parameters(value: bytes, main: bytes, parameters: dict[bytes, bytes]) -> None:
    assert parse_parameters(value) == (main, parameters)


def test_fields_are_unfolded_and_named_in_lower_case() -> None:
    header = b"From x\r\nA: b\r\n  c\r\nD : e\r\nno field\r\nF: g"
    fields, body = split_fields(header, 0, LineBudget())
    assert fields == [(b"a", b"b  c"), (b"d", b"e")]
    assert header[body:] == b"no field\r\nF: g"


@pytest.mark.parametrize(
    ("argument", "path"),
    [
        ("<a@b>", ("a@b", "")),
        (" <a@b> SIZE=1", ("a@b", "SIZE=1")),
        ("<>", (NULL_SENDER, "")),
        ("<été@b>", ("été@b", "")),
        ('<"a"@b> SIZE=1', ("a@b", "SIZE=1")),
        (r'<"a\l.b"@c>', ("al.b@c", "")),
        ('<"Postmaster">', ("Postmaster", "")),
        ('<"a b"@c>', ('"a b"@c', "")),
        ('<"a@c"@b>', ('"a@c"@b', "")),
        (r'<"a\">"@b>', (r'"a\">"@b', "")),
        ('<"a."@b>', ('"a."@b', "")),
        ('<""@b>', ('""@b', "")),
        ("<@c,@d:a@b>", ("a@b", "")),
        ('<@c.d:"a"@b>', ("a@b", "")),
        ("<@c:>", None),
        ('<"a@b>', None),
        ('<"a"b@c>', None),
        ("<@c, @d:a@b>", ("@c, @d:a@b", "")),
        ("a@b", None),
        ("<a@b", None),
        ("<a@b>x", None),
        ("<a\tb>", None),
        ("<a\x1b[0m@b>", None),
        ("<a\ud800@b>", None),
        ("", None),
        ("<" + "a" * 513 + ">", None),
    ],
)
def test_paths(argument: str, path: tuple[str, str] | None) -> None:
    assert parse_path(argument) == path


@pytest.mark.parametrize(
    "parameter",
    [
        b"boundary*=us-ascii''x%20y",
        b'boundary*0="x "; boundary*1=y',
        b"boundary*0*=''x%20; boundary*1=y",
    ],
)
def test_a_boundary_in_the_forms_of_rfc_2231(parameter: bytes) -> None:
    mail = (
        b"Content-Type: multipart/mixed; " + parameter + b"\r\n\r\n--x y\r\n\r\none\r\n--x y--\r\n"
    )
    assert outline(mail) == [(1, "text/plain", b"one")]


@pytest.mark.parametrize("value", [b"Base64", b'"base64"', b" base64;", b"base64 (as usual)"])
def test_the_name_of_an_encoding_is_read_as_it_is_meant(value: bytes) -> None:
    assert parse(b"Content-Transfer-Encoding: " + value + b"\r\n\r\n").encoding == b"base64"


@pytest.mark.parametrize("parameter", [b"", b"; boundary=other", b"; boundary=x_"])
def test_a_boundary_that_occurs_nowhere_is_guessed(parameter: bytes) -> None:
    mail = b"Content-Type: multipart/mixed" + parameter + b"\r\n\r\nThis is MIME.\r\n"
    part = b"--x\r\nContent-Type: text/html\r\n\r\none\r\n"
    assert outline(mail + part + b"--x--\r\n") == [(1, "text/html", b"one")]
    letter = mail + b"-----Original Message-----\r\nFrom: a\r\n\r\ntext"
    assert [kind for _, kind, _ in outline(letter)] == ["multipart/mixed"]
