"""An export without a device: each format round-trips, whatever others have written."""

import io
import json
import mailbox
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from blackthorn.device.export import mbox as export_mbox
from blackthorn.device.export import vcard
from blackthorn.device.export.export import build, mail_paths
from blackthorn.device.export.manifest import Problem, decode_chain, decode_manifest
from blackthorn.device.export.messages import clean, file_name, rfc3339
from blackthorn.device.export.vcard import ExportContact
from tests.support import runs
from tests.support.export_world import NOW_MS, Memory, Person, mail, ordinary, talk
from tests.support.work import Work

many = settings(max_examples=runs.many(200), deadline=None, print_blob=True)
slow = settings(
    max_examples=runs.many(60),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
PIECES = [b"From ", b">From ", b">>From ", b"\r\n", b"\n", b"\r", b"\x00", b"x", b" ", b"\xff"]
CONTENT = st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join)
HOSTILE = "</script><script>alert(1)</script>\x00\x1b[2J\u202e\ud800 ../../etc/passwd &amp; \"'"
VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """Reads a page strictly: every element is closed, and in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def exported(person: Person) -> dict[str, bytes]:
    memory = Memory()
    build(person, memory)
    return memory.files


# --- mbox ---------------------------------------------------------------------------------


@many
@given(st.lists(CONTENT, max_size=5))
@example([b""])
@example([b"", b"From x\r\n", b"\r\n\r\n", b"no end"])
def test_an_mbox_is_read_back_as_it_was(contents: list[bytes]) -> None:
    whole = b"".join(b"".join(export_mbox.entry(each, "", NOW_MS)) for each in contents)
    expected = [export_mbox.normal(each) for each in contents]
    assert list(export_mbox.mails(io.BytesIO(whole))) == expected


@slow
@given(contents=st.lists(CONTENT, min_size=1, max_size=5))
def test_pythons_mailbox_reads_the_same(contents: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "mail.mbox"
    path.write_bytes(b"".join(b"".join(export_mbox.entry(e, "", NOW_MS)) for e in contents))
    box = mailbox.mbox(path, create=False)
    read = [
        re.sub(rb"^>(>*From )", rb"\1", box.get_bytes(key), flags=re.M) for key in box.iterkeys()
    ]
    box.close()
    assert read == [export_mbox.normal(each) for each in contents]


@pytest.mark.parametrize("sender", ["", "a b\nFrom c", "\x00", "é" * 500, "x" * 100_000])
def test_the_from_line_is_one_line_of_three_parts(sender: str) -> None:
    line = next(export_mbox.entry(b"", sender, -5))
    assert re.fullmatch(rb"From [!-~]{1,320} Thu Jan  1 00:00:00 1970\n", line)


def test_a_time_that_no_calendar_has_is_brought_into_one() -> None:
    assert b" 9999\n" in next(export_mbox.entry(b"", "", 2**63))
    assert rfc3339(2**63) is None


# --- Mails --------------------------------------------------------------------------------


@many
@given(CONTENT)
@example(b"Subject: " + b"s" * 200_000 + b"\r\n\r\n")
def test_a_mail_is_its_very_bytes(content: bytes) -> None:
    assert exported(Person(mail=[mail(7, content)]))["mail/000007.eml"] == content


def test_a_mail_that_does_not_open_is_listed_and_stops_nothing() -> None:
    person = Person(
        mail=[mail(1, b"a"), mail(2, None, "altered <here>"), mail(3, b"c")],
        unopened=[Problem("message ab", "no key")],
    )
    files = exported(person)
    manifest = decode_manifest(files["manifest.json"])
    assert [each.item for each in manifest.problems] == ["mail 2", "message ab"]
    assert manifest.counts.mails == manifest.counts.problems == 2
    assert "mail/000002.eml" not in files
    assert b"altered &lt;here&gt;" in files["index.html"]
    assert b"mail 2: altered <here>" in files["README.txt"]


def test_mails_are_in_the_order_of_their_numbers() -> None:
    numbers = [1, 999_999, 1_000_000, 12_345_678]
    paths = [f"mail/{each:06d}.eml" for each in numbers]
    assert list(mail_paths([*reversed(paths), "messages/1.json"])) == paths


# --- Conversations ------------------------------------------------------------------------


@many
@given(st.text(max_size=80), st.text(max_size=200), st.text(max_size=40))
@example(HOSTILE, HOSTILE, HOSTILE)
@example("../../x", "", "")
@example("CON", "\r\n", "<!--")
@example("n" * 100_000, "t" * 1_100_000, "")
def test_a_conversation_is_whole_and_harmless(name: str, text: str, other: str) -> None:
    told = talk(name, text, other)
    files = exported(Person(talks=[told]))
    base = f"messages/{file_name(told)}"
    assert re.fullmatch(r"messages/group-[a-z0-9@_-]{1,48}-[0-9a-f]{12}", base)
    document = json.loads(files[f"{base}.json"])
    clean = [each.encode("utf-8", "replace").decode() for each in (text, other)]
    assert [each["text"] for each in document["messages"]] == clean
    for path in (f"{base}.html", "index.html"):
        page = Page(files[path].decode())
        assert page.seen <= {"html", "head", "meta", "title", "style", "body", "p", "a", "h1"} | {
            "small", "article", "strong", "ul", "li", "h2"
        }  # fmt: skip
        links = [value for key, value in page.attributes if key in ("href", "src")]
        assert all(re.fullmatch(r"[a-z0-9@_./-]+\.html", str(value)) for value in links)
        assert not any(key.startswith("on") for key, _ in page.attributes)
        assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", page.text)


@pytest.mark.parametrize("mark", ["from a device revoked on 2026-11-30", HOSTILE])
def test_a_mark_stands_in_the_page_and_in_the_document(mark: str) -> None:
    plain = talk("team", "one", "two")
    marked = [replace(message, mark=mark) for message in plain.messages]
    told = replace(plain, messages=[*list(plain.messages)[:1], *marked[1:]])
    files, base = exported(Person(talks=[told])), f"messages/{file_name(told)}"
    page = Page(files[f"{base}.html"].decode())
    document = json.loads(files[f"{base}.json"])
    assert [message["mark"] for message in document["messages"]] == ["", clean(mark)]
    assert "script" not in page.seen
    if mark != HOSTILE:
        assert f"UTC ({mark})" in page.text and page.text.count(mark) == 1


def test_conversations_that_look_alike_have_files_of_their_own() -> None:
    names = {file_name(talk(name)) for name in ("a/b", "a b", "a-b", "A-b", "a\x00b")}
    assert len(names) == 5


# --- Contacts -----------------------------------------------------------------------------


def unfolded(data: bytes) -> list[str]:
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    assert data.endswith(b"\r\n") and b"\n" not in data.replace(b"\r\n", b"")
    return data.replace(b"\r\n ", b"").decode().split("\r\n")[:-1]


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text)


@many
@given(st.text(max_size=300), st.booleans(), st.binary(max_size=300))
@example(HOSTILE + "\r\nEND:VCARD\nBEGIN:VCARD;,\\", True, b"")
@example("é" * 200, False, b"")
def test_a_card_holds_what_was_put_in(address: str, verified: bool, key: bytes) -> None:
    lines = unfolded(b"".join(vcard.cards([ExportContact(address, verified, key)])))
    assert (lines[0], lines[1], lines[-1]) == ("BEGIN:VCARD", "VERSION:4.0", "END:VCARD")
    assert lines.count("BEGIN:VCARD") == lines.count("END:VCARD") == 1
    (name,) = (line for line in lines if line.startswith("FN:"))
    plain = address.replace("\r\n", "\n").replace("\r", "\n")
    kept = re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", plain)
    assert unescaped(name[3:]) == kept.encode("utf-8", "replace").decode()
    assert ("CATEGORIES:Blackthorn,verified" in lines) is verified
    assert any(line.startswith("KEY:data:") for line in lines) is bool(key)


# --- The whole ----------------------------------------------------------------------------


def test_the_manifest_has_every_file_but_itself_and_its_signature() -> None:
    files = exported(ordinary())
    manifest = decode_manifest(files["manifest.json"])
    listed = {each.path for each in manifest.files}
    assert listed | {"manifest.json", "manifest.sig"} == files.keys()
    assert (manifest.counts.mails, manifest.counts.messages) == (5, 3)
    assert decode_chain(files["identity-chain.cbor"]).label == manifest.address


def test_an_export_of_nothing_is_whole() -> None:
    files = exported(Person())
    assert files["mail.mbox"] == files["contacts.vcf"] == b""
    assert decode_manifest(files["manifest.json"]).counts.conversations == 0


def test_a_small_export_takes_few_calls() -> None:
    person = ordinary()
    with Work() as work:
        build(person, Memory())
    assert work.calls < 5_000
