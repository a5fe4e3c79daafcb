"""The header of an opened mail: the sealed one, or the outer one of older programs."""

from blackthorn.mail.mime.structure import parse
from blackthorn.mail.pgp.protected import message_of

OUTER = parse(
    b"From: dora@example.net\r\nTo: bob@acme.example\r\nSubject: outside\r\nX-Spam: no\r\n"
    b"Received: from x\r\n\r\n"
).fields


def test_a_sealed_header_is_the_only_one() -> None:
    for kind in (b'text/plain; hp="cipher"', b"text/plain; protected-headers=v1"):
        payload = b"Subject: inside\r\nContent-Type: " + kind + b"\r\n\r\nhi\r\n"
        assert message_of(OUTER, payload) == payload
    payload = b"From: dora@example.net\r\n\r\nhi\r\n"
    assert message_of(OUTER, payload) == payload


def test_without_one_what_a_reader_sees_is_taken_from_outside() -> None:
    payload = b"Content-Type: text/plain\nSubject: inside\n\nhi\n"
    fields = parse(message_of(OUTER, payload)).fields
    assert fields == [
        (b"from", b"dora@example.net"),
        (b"to", b"bob@acme.example"),
        (b"content-type", b"text/plain"),
        (b"subject", b"inside"),
    ]


def test_a_payload_that_cannot_be_parsed_stays_as_it_is() -> None:
    payload = b"a: b\r\n" * 20_000
    assert message_of(OUTER, payload) == payload
