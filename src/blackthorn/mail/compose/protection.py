"""Header protection (RFC 9788): the header is sealed with the text; outside stands what must.

Outside: the subject as `[...]`, the date, an id. To people of other domains also the bare addresses
of sender and recipients, without names. To colleagues not even these: their server delivers by
the envelope, and what it stores does not say who wrote. No In-Reply-To and no References: a
thread is nobody's affair.
"""

from collections.abc import Callable
from typing import Final

from blackthorn.mail.compose.entity import Entity
from blackthorn.mail.compose.fields import HIDDEN_SUBJECT, Field, date, encode, header, mailboxes
from blackthorn.mail.compose.letter import Letter

HIDDEN_SENDER: Final = "Blackthorn <blackthorn@{domain}>"
"""The author outside, as of a mail that the server has sealed."""


def outside(letter: Letter) -> list[Field]:
    """The header fields in the clear for people of other domains."""
    fields = [
        ("From", mailboxes([letter.sender], names=False)),
        ("To", mailboxes(letter.to, names=False) or "undisclosed-recipients:;"),
        ("Cc", mailboxes(letter.cc, names=False)),
        ("Subject", HIDDEN_SUBJECT),
        ("Date", date(letter.date)),
        ("Message-ID", letter.message_id),
    ]
    return [(name, value) for name, value in fields if value]


def outside_of_colleagues(letter: Letter, message_id: str) -> list[Field]:
    """The header fields in the clear for people of the own domain: none tells who is meant.

    `message_id` is another one, since that of the letter stands in others' mail.
    """
    return [
        ("From", HIDDEN_SENDER.format(domain=letter.sender.address.rpartition("@")[2])),
        ("To", "undisclosed-recipients:;"),
        ("Subject", HIDDEN_SUBJECT),
        ("Date", date(letter.date)),
        ("Message-ID", message_id),
    ]


def payload(letter: Letter, entity: Entity, outer: list[Field]) -> bytes:
    """What is sealed: all header fields, the outer ones as HP-Outer, and the entity."""
    fields = [*header(letter), ("MIME-Version", "1.0")]
    fields += [("HP-Outer", f"{name}: {value}") for name, value in outer]
    fields += [("Content-Type", f'{entity.type}; hp="cipher"'), *entity.fields]
    return encode(fields) + b"\r\n" + entity.body


def message(outer: list[Field], armored: bytes, random: Callable[[int], bytes]) -> bytes:
    """The whole mail of a sealed payload: multipart/encrypted (RFC 3156, 4)."""
    boundary = "blackthorn-" + random(12).hex()
    kind = f'multipart/encrypted; protocol="application/pgp-encrypted";\r\n boundary="{boundary}"'
    head = encode([*outer, ("MIME-Version", "1.0"), ("Content-Type", kind)])
    mark = f"--{boundary}".encode()
    lines = armored.replace(b"\r\n", b"\n").rstrip(b"\n").replace(b"\n", b"\r\n")
    return b"\r\n".join(
        (
            head,
            mark,
            b"Content-Type: application/pgp-encrypted",
            b"Content-Description: PGP/MIME version identification",
            b"",
            b"Version: 1",
            b"",
            mark,
            b'Content-Type: application/octet-stream; name="encrypted.asc"',
            b"Content-Description: OpenPGP encrypted message",
            b'Content-Disposition: inline; filename="encrypted.asc"',
            b"",
            lines,
            mark + b"--",
            b"",
        )
    )
