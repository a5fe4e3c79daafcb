"""Signed notes: the examples of others, one form for each value, and a refusal for each rule."""

import pytest

from blackthorn.crypto.signatures import ED25519 as SCHEME
from blackthorn.wire import limits
from blackthorn.wire.note import (
    COSIGNATURE_V1,
    ED25519,
    Note,
    SignatureLine,
    VerifierKey,
    decode_base64,
    encode_base64,
    format_note,
    format_vkey,
    parse_note,
    parse_signature_line,
    parse_vkey,
    signature_line,
)
from tests.support.tlog_world import refuses

# The example of Go's golang.org/x/mod/sumdb/note, and the key of the Go checksum database.
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PROBLEM = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb"
    "6KE6RyyBwJnAM=\n"
).encode()
SUM_DATABASE = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

LINE = SignatureLine("log.example", b"\x01\x02\x03\x04", bytes(64))
TEXT = "— log.example AQIDBA" + "A" * 85 + "="


def note_of(block: str, text: str = "text\n") -> bytes:
    return f"{text}\n{block}".encode()


def test_the_note_of_go_verifies() -> None:
    key = parse_vkey(NEUMANN)
    note = parse_note(PROBLEM)
    assert note.text.endswith("your problem is.\n")
    (line,) = note.lines_of(key)
    SCHEME.verify(key.public, line.signature, note.text.encode())
    assert format_note(note) == PROBLEM


@pytest.mark.parametrize("text", [NEUMANN, SUM_DATABASE])
def test_a_vkey_reads_and_writes(text: str) -> None:
    key = parse_vkey(text)
    assert key.algorithm == ED25519
    assert format_vkey(key) == str(key) == text


def test_a_key_of_an_unknown_type_is_kept() -> None:
    key = VerifierKey("log.example", 0x06, bytes(1312))
    assert parse_vkey(str(key)) == key


def test_one_key_has_two_ids_for_its_two_uses() -> None:
    log = VerifierKey("a.example", ED25519, bytes(32))
    witness = VerifierKey("a.example", COSIGNATURE_V1, bytes(32))
    assert log.key_id != witness.key_id


def test_a_signature_line_reads_and_writes() -> None:
    assert signature_line(LINE) == TEXT
    assert parse_signature_line(TEXT) == LINE


def test_the_last_empty_line_divides() -> None:
    data = note_of(f"{TEXT}\n{TEXT}\n", "\na\n\n\nb\n")
    note = parse_note(data)
    assert note == Note("\na\n\n\nb\n", (LINE, LINE))
    assert format_note(note) == data


def test_a_line_is_of_a_key_by_name_and_id_together() -> None:
    key = VerifierKey("log.example", ED25519, bytes(32))
    same = SignatureLine(key.name, key.key_id, b"1")
    other_id = SignatureLine(key.name, bytes(4), b"2")
    other_name = SignatureLine("log.example/2", key.key_id, b"3")
    assert Note("text\n", (same, other_id, other_name)).lines_of(key) == [same]


def test_as_many_signatures_as_the_bound_are_taken() -> None:
    block = f"{TEXT}\n" * limits.MAX_NOTE_SIGNATURES
    assert len(parse_note(note_of(block)).signatures) == limits.MAX_NOTE_SIGNATURES


def test_sixteen_post_quantum_signatures_fit_a_note() -> None:
    line = SignatureLine("witness.example/one", bytes(4), bytes(8 + 2420))
    note = Note("log.example\n1\n" + "A" * 44 + "\n", (line,) * 16)
    assert parse_note(format_note(note)) == note


def test_N1_a_large_note() -> None:
    text = "x" * (limits.MAX_NOTE_BYTES - len(TEXT.encode()) - 3) + "\n"
    parse_note(note_of(f"{TEXT}\n", text))
    with refuses("N1"):
        parse_note(note_of(f"{TEXT}\n", "x" + text))


@pytest.mark.parametrize("data", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80"])
def test_N2_no_utf8(data: bytes) -> None:
    with refuses("N2"):
        parse_note(b"text" + data + b"\n\n" + TEXT.encode() + b"\n")
    with refuses("N2"):
        format_note(Note("text\ud800\n", (LINE,)))


@pytest.mark.parametrize("char", ["\x00", "\t", "\r", "\x1f"])
def test_N3_a_control_character(char: str) -> None:
    with refuses("N3"):
        parse_note(note_of(f"{TEXT}\n", f"te{char}xt\n"))


@pytest.mark.parametrize("data", [b"", b"\n", b"text", b"text\n", f"text\n{TEXT}\n".encode()])
def test_N4_no_empty_line(data: bytes) -> None:
    with refuses("N4"):
        parse_note(data)


def test_N4_a_text_that_does_not_end() -> None:
    with refuses("N4"):
        format_note(Note("text", (LINE,)))
    with refuses("N4"):
        format_note(Note(f"text\n\n{TEXT}", (LINE,)))


@pytest.mark.parametrize("block", ["", TEXT, f"{TEXT}\n{TEXT}"])
def test_N5_signatures_that_do_not_end(block: str) -> None:
    with refuses("N5"):
        parse_note(note_of(block))


def test_N5_too_many_signatures() -> None:
    with refuses("N5"):
        parse_note(note_of(f"{TEXT}\n" * (limits.MAX_NOTE_SIGNATURES + 1)))
    with refuses("N5"):
        format_note(Note("text\n", ()))


@pytest.mark.parametrize(
    "line",
    ["", "— ", "— a", "- a AQIDBAU=", "—a AQIDBAU=", "— a  AQIDBAU=", "— a AQIDBAU= ", " " + TEXT],
)
def test_N6_no_signature_line(line: str) -> None:
    with refuses("N6"):
        parse_signature_line(line)


@pytest.mark.parametrize("line", ["x\n", f"{TEXT}\nx\n", f"x\n{TEXT}\n"])
def test_N6_something_else_among_the_signatures(line: str) -> None:
    with refuses("N6"):
        parse_note(note_of(line))


@pytest.mark.parametrize(
    "name", ["", "a+b", "a\u00a0b", "a\u2028b", "a\u3000b", "\x01", "\ud800", "é" * 128]
)
def test_N7_a_name_that_cannot_be(name: str) -> None:
    with refuses("N7"):
        parse_signature_line(f"— {name} AQIDBAU=")
    with refuses("N7"):
        signature_line(SignatureLine(name, bytes(4), b"x"))
    with refuses("N7"):
        VerifierKey(name, ED25519, bytes(32))


def test_the_longest_name_is_taken() -> None:
    name = "é" * 127 + "x"
    assert parse_signature_line(f"— {name} AQIDBAU=").name == name


@pytest.mark.parametrize(
    "encoded", ["AQIDBAU", "AQIDBAV=", "AQIDBAU==", "AQID BAU=", "AQIDBA_=", "AQIDBAU=\n", "é", "="]
)
def test_N8_base64_in_another_form(encoded: str) -> None:
    with refuses("N8"):
        decode_base64(encoded)


@pytest.mark.parametrize("blob", [b"", b"\x01\x02\x03", b"\x01\x02\x03\x04"])
def test_N9_no_signature_after_the_id(blob: bytes) -> None:
    with refuses("N9"):
        parse_signature_line(f"— a {encode_base64(blob)}")
    with refuses("N9"):
        signature_line(SignatureLine("a", blob[:4], blob[4:]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a+c74f20a3",
        "a+c74f20a3+",
        "a+C74F20A3+AQ==",
        "a+c74f20a+AQID",
        "a+c74f20a3+AQ==\n",
        "a+c74f20a3+AQ==",
        "a+c74f20a3+" + "A" * limits.MAX_VKEY_CHARS,
    ],
)
def test_N10_no_vkey(text: str) -> None:
    with refuses("N10"):
        parse_vkey(text)


def test_N10_a_type_that_is_no_byte() -> None:
    with refuses("N10"):
        VerifierKey("a", 256, b"key")


def test_N11_the_id_of_another_key() -> None:
    with refuses("N11"):
        parse_vkey(NEUMANN.replace("c74f20a3", "c74f20a4"))
    with refuses("N11"):
        parse_vkey(NEUMANN.replace("Peter", "Paul"))


@pytest.mark.parametrize("algorithm", [ED25519, COSIGNATURE_V1])
@pytest.mark.parametrize("size", [1, 31, 33])
def test_N12_an_ed25519_key_of_another_size(algorithm: int, size: int) -> None:
    with refuses("N12"):
        VerifierKey("a", algorithm, bytes(size))
