"""winmail.dat: text and files, as another reader sees them; damaged ones end without harm."""

import base64

import pytest
from tnefparse import TNEF

from blackthorn.mail.render.render import render
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
    head = b"Content-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    mail = render(head + base64.encodebytes(WINMAIL).replace(b"\n", b"\r\n"))
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


def test_files_before_the_damage_are_kept() -> None:
    found = read_tnef(WINMAIL[:-30])
    assert found is not None and found.files[0].data == b"content"


def test_files_have_a_bound() -> None:
    found = read_tnef(HEAD + file("x", b"y") * (limits.MAX_UNPACKED_FILES + 3))
    assert found is not None and len(found.files) == limits.MAX_UNPACKED_FILES
