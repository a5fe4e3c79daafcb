"""The readable pages of an export: index.html, one page a conversation, README.txt.

All foreign text is escaped and made safe. A content security policy forbids scripts and requests.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import msgspec

from blackthorn.device.export.manifest import Counts, Problem
from blackthorn.device.export.messages import ExportConversation, ExportMessage, rfc3339
from blackthorn.mail.render.text import safe_line, safe_text
from blackthorn.wire.words import count

_STYLE: Final = (
    "body{font:1rem/1.5 sans-serif;max-width:45rem;margin:auto;padding:1rem;"
    "color:#1a1a1a;background:#fff}article{border-top:1px solid #ccc;padding:.5rem 0}"
    "article p{white-space:pre-wrap;overflow-wrap:anywhere;margin:.25rem 0}"
    "small,.event{color:#555}li,h1{overflow-wrap:anywhere}"
)
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation in the index; `file` without its ending."""

    kind: str
    name: str
    file: str
    messages: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The totals of the export for the index and the README."""

    address: str
    created_ms: int
    counts: Counts
    problems: Sequence[Problem]


def _text(text: str) -> str:
    return escape(safe_text(text, max(len(text), 1)))


def _line(text: str) -> str:
    return escape(safe_line(text, max(len(text), 1)))


def _head(title: str) -> bytes:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{_line(title) or 'unnamed'}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
    ).encode()


_END: Final = b"</body>\n</html>\n"


def conversation(source: ExportConversation, messages: Sequence[ExportMessage]) -> Iterator[bytes]:
    yield _head(source.name)
    members = ", ".join(source.members)
    yield (
        f'<p><a href="../index.html">All conversations</a></p>\n<h1>{_line(source.name)}</h1>\n'
        f"<p><small>{_line(source.kind)}, {_line(source.standing)}. {_line(members)}</small></p>\n"
    ).encode()
    for message in messages:
        yield _article(message)
    yield _END


def _article(message: ExportMessage) -> bytes:
    moment = rfc3339(message.sent_ms) or "unknown"
    shown = moment[:16].replace("T", " ")
    mark = ' class="event"' if message.sort == "event" else ""
    unsent = message.standing in ("waiting", "failed")
    notes = [message.mark, message.standing if unsent else ""]
    note = "".join(f" ({_line(text)})" for text in notes if text)
    return (
        f"<article{mark}>\n<strong>{_line(message.sender)}</strong> <small>{shown} UTC{note}"
        f"</small>\n<p>{_text(message.text)}</p>\n</article>\n"
    ).encode()


def index(overview: Overview, listed: Sequence[Listed]) -> Iterator[bytes]:
    counts = overview.counts
    yield _head(f"Export of {overview.address}")
    yield (
        f"<h1>Export of {_line(overview.address)}</h1>\n"
        f"<p>Made {rfc3339(overview.created_ms)}: {count(counts.mails, 'mail')}, "
        f"{count(counts.messages, 'message')} in {count(counts.conversations, 'conversation')}, "
        f"{count(counts.contacts, 'contact')}.</p>\n"
        "<p>README.txt describes each file.</p>\n<h2>Conversations</h2>\n<ul>\n"
    ).encode()
    for entry in listed:
        link = f'<a href="messages/{escape(entry.file)}.html">{_line(entry.name) or "unnamed"}</a>'
        yield f"<li>{link} <small>{_line(entry.kind)}, {entry.messages}</small></li>\n".encode()
    yield b"</ul>\n"
    if overview.problems:
        yield b"<h2>What could not be opened</h2>\n<ul>\n"
        for problem in overview.problems:
            yield f"<li>{_line(problem.item)}: {_line(problem.reason)}</li>\n".encode()
        yield b"</ul>\n"
    yield _END


_README: Final = """\
All that is yours in Blackthorn
===============================

Of {address}, made {created}.

index.html            your conversations: open it in any browser
messages/             each conversation, to read (.html) and for programs (.json)
mail/                 your mails, one .eml file each: import these into a mail program
mail.mbox             the same mails in one file, for programs that read mbox (mboxrd)
contacts.vcf          your contacts: any address book imports it
keys/openpgp-secret-NNN.asc
                      your keys for mail, one a file, the newest last, encrypted with the
                      passphrase that you chose. To import one:
                          gpg --decrypt openpgp-secret-001.asc > key-001.asc
                      and import key-001.asc into a program that knows OpenPGP keys of
                      version 6 (RFC 9580), such as Sequoia. Then delete it. A program that
                      keeps one key only is given the file with the highest number.
identity-chain.cbor   your public statements about your devices
manifest.json         the size and the SHA-256 hash of every file
manifest.sig          your device's signature over the manifest

Anyone with this folder can read everything but the keys: keep it in a safe place.
To check that nothing is missing or changed:

    blackthorn export verify FOLDER

Mails: {mails}. Conversations: {conversations}. Messages: {messages}. Contacts: {contacts}.
Keys: {keys}. What could not be opened: {problems}.
"""


def readme(overview: Overview) -> Iterator[bytes]:
    yield _README.format(
        address=safe_line(overview.address),
        created=rfc3339(overview.created_ms),
        **msgspec.structs.asdict(overview.counts),
    ).encode()
    for problem in overview.problems:
        yield f"  {safe_line(problem.item)}: {safe_line(problem.reason)}\n".encode()
