"""Walks a mail's parts in order and decides which are shown, and how.

Every part that is meant to be read is shown, in the order of its author; of alternatives the plain
text, unless it says much less than the HTML. All others, and what cannot be read, are attachments.
"""

from collections.abc import Callable
from typing import Final

from blackthorn.mail.errors import MailRefusedError, SealBrokenError
from blackthorn.mail.mime.fields import Field, first, parse_parameters
from blackthorn.mail.mime.scan import normalise
from blackthorn.mail.mime.structure import Part, parse, walk
from blackthorn.mail.mime.transfer import decode_transfer
from blackthorn.mail.render import limits
from blackthorn.mail.render.bodies import Body, body_of, words
from blackthorn.mail.render.calendar import calendar_text
from blackthorn.mail.render.headers import address_line, header_line
from blackthorn.mail.render.html import HtmlBudget
from blackthorn.mail.render.openpgp_text import split_openpgp
from blackthorn.mail.render.page import Page
from blackthorn.mail.render.text import decode_charset, decode_parameter
from blackthorn.mail.unpack.smime import read_smime
from blackthorn.mail.unpack.tnef import read_tnef
from blackthorn.mail.unpack.uuencode import find_uuencoded

Opener = Callable[[bytes], bytes]
"""Opens an armored OpenPGP message for the reader. Raises SealBrokenError, whose text says why."""

SEALED: Final = "sealed by its sender with OpenPGP, opened on this device; signature not checked"
SIGNED: Final = "signed with {}; signature not checked"
MESSAGE: Final = "attached message"

_REPORTS: Final = (
    b"message/delivery-status",
    b"message/disposition-notification",
    b"message/feedback-report",
    b"message/global-delivery-status",
    b"text/rfc822-headers",
    b"message/external-body",
)
_MESSAGES: Final = (b"message/rfc822", b"message/global")
_SMIME: Final = (b"application/pkcs7-mime", b"application/x-pkcs7-mime")
_TNEF: Final = (b"application/ms-tnef", b"application/vnd.ms-tnef")
_CALENDARS: Final = (b"text/calendar", b"application/ics")
_SUFFIXES: Final = {
    b"text/plain": ".txt",
    b"text/html": ".html",
    b"text/calendar": ".ics",
    b"image/jpeg": ".jpg",
    b"image/png": ".png",
    b"image/gif": ".gif",
    b"application/pdf": ".pdf",
    b"application/pgp-signature": ".asc",
    b"application/pkcs7-signature": ".p7s",
    b"message/rfc822": ".eml",
}
_MAX_NAMED_TEXT: Final = 64 * 1024
"""A text file that its sender wants shown is shown up to this many bytes."""
_MORE_WORDS: Final = 2
_FEW_WORDS: Final = 10
"""The HTML is shown when it has more than twice the plain text's words and ten."""


class Walker:
    """Shows one mail on a page. `protected` are the sealed header fields, if there are such."""

    def __init__(self, page: Page, opener: Opener | None, *, prefer_html: bool = False) -> None:
        self._page = page
        self._opener = opener
        self._prefer_html = prefer_html
        self._opened = self._messages = self._shown_calendars = 0
        self._bodies: dict[int, tuple[Part, Body]] = {}
        self._calendars: set[str] = set()
        self._budget = HtmlBudget()
        self.protected: list[Field] | None = None

    def entity(self, content: bytes, root: Part, depth: int = 0) -> None:
        """Show a mail or part. Raises nothing."""
        self._part(content, root, show=True, depth=depth)

    def _part(self, content: bytes, part: Part, *, show: bool, depth: int) -> None:
        if depth > limits.MAX_WALK_DEPTH:
            self._attach(content, part)
        elif part.type == b"multipart/encrypted" and len(part.children) > 1:
            self._encrypted(content, part, show=show, depth=depth)
        elif part.is_multipart and part.children:
            self._multipart(content, part, show=show, depth=depth)
        elif part.type in _MESSAGES:
            self._message(content, part, show=show, depth=depth)
        else:
            self._leaf(content, part, show=show, depth=depth)

    def _multipart(self, content: bytes, part: Part, *, show: bool, depth: int) -> None:
        children = part.children
        chosen: Part | None = None
        if part.type == b"multipart/alternative" and show:
            chosen = self._choose(content, children)
        elif part.type == b"multipart/related" and show:
            chosen = _related_root(part)
        signed = part.type == b"multipart/signed" and show
        head = SIGNED.format(_signature_kind(part))
        if signed:
            self._page.begin(head)
        for child in children:
            shown = show and (chosen is None or child is chosen or child.type in _CALENDARS)
            self._part(content, child, show=shown, depth=depth + 1)
            if signed and child is children[0]:
                self._page.end(head)

    def _choose(self, content: bytes, children: list[Part]) -> Part | None:
        """The alternative to show (RFC 2046, 5.1.4)."""
        texts = (child for child in children if child.type == b"text/plain")
        plain = next((text for text in texts if self._body(content, text).text.strip()), None)
        rich = next((c for c in reversed(children) if _html_leaf(content, c)), None)
        if rich is None or plain is None:
            readable = [c for c in children if c.type.startswith((b"text/", b"multipart/"))]
            return plain or rich or (readable[-1] if readable else children[-1])
        html = _html_leaf(content, rich)
        if self._prefer_html or html is None:
            return rich
        told, meant = words(self._body(content, plain).text), words(self._body(content, html).text)
        if len(meant) > _MORE_WORDS * len(told) + _FEW_WORDS:
            self._page.note("the plain text version, which says less, is not shown")
            return rich
        missing = len(set(meant) - set(told))
        if missing > len(set(meant)) // 4 and missing > _FEW_WORDS:
            self._page.note(f"its HTML version has {missing} other words: --html shows it")
        return plain

    def _body(self, content: bytes, part: Part) -> Body:
        """The text of a part, made once; the part is kept too, so that its id stays its own."""
        found = self._bodies.get(id(part))
        if found is None:
            found = self._bodies[id(part)] = part, body_of(part, _data(content, part), self._budget)
        return found[1]

    def _message(self, content: bytes, part: Part, *, show: bool, depth: int) -> None:
        """An attached message: its head and its text, and itself as a file."""
        inner, data = content, _data(content, part)
        root = part.children[0] if part.children else None
        if root is None:
            inner = tolerant(data)
            root = _parsed(inner)
        subject = header_line(root.fields, b"subject") if root else ""
        self._page.attach(_name(part) or f"{subject or 'message'}.eml", part.type, data)
        self._messages += 1
        if root is None or not show or self._messages > limits.MAX_SHOWN_MESSAGES:
            return
        self._page.begin(MESSAGE)
        self._page.say(_head_lines(root.fields))
        self._part(inner, root, show=True, depth=depth + 1)
        self._page.end(MESSAGE)

    def _leaf(self, content: bytes, part: Part, *, show: bool, depth: int) -> None:
        kind, name = part.type, _name(part)
        if kind in _SMIME and self._signed_data(content, part, depth):
            return
        if (kind in _TNEF or name.lower() == "winmail.dat") and self._winmail(content, part):
            return
        if kind in _CALENDARS or name.lower().endswith(".ics"):
            self._calendar(content, part)
            return
        attached = _disposition(part)[0] == b"attachment"
        text = kind.startswith(b"text/") or part.is_multipart
        if kind in _REPORTS:
            if show:
                self._page.say(decode_charset(content[part.start : part.end], b""))
        elif text and not attached and (not name or kind in (b"text/plain", b"text/html")):
            if show:
                self._text(content, part, depth)
            if name and part.end > part.start:
                self._attach(content, part)
        else:
            self._attach(content, part)
            if show and not attached and kind.startswith(b"image/"):
                self._page.say(f"[picture: {name}]" if name else "[picture]")

    def _text(self, content: bytes, part: Part, depth: int) -> None:
        """Show a text, with what is sealed, signed or encoded in it."""
        data = _data(content, part)
        if _name(part) and len(data) > _MAX_NAMED_TEXT:
            return
        if part.type == b"text/html":
            body = self._body(content, part)
            self._page.say(body.text)
            if body.html is not None:
                self._page.note_html(body.html)
                if body.html.cut:
                    self._attach(content, part)
            return
        for piece in split_openpgp(data):
            if piece.kind == "sealed":
                self._inline_sealed(piece.data)
            elif piece.kind == "signed":
                self._page.begin(SIGNED.format("OpenPGP"))
                self._plain(part, piece.data)
                self._page.end(SIGNED.format("OpenPGP"))
            else:
                self._plain(part, piece.data)

    def _plain(self, part: Part, data: bytes) -> None:
        position = 0
        for file in find_uuencoded(data):
            if data[position : file.start].strip():
                self._page.say(body_of(part, data[position : file.start]).text)
            name = decode_charset(file.name, b"")
            self._page.attach(name, b"application/octet-stream", file.data)
            self._page.say(f"[file: {name}]")
            position = file.end
        if data[position:].strip():
            self._page.say(body_of(part, data[position:]).text)

    def _encrypted(self, content: bytes, part: Part, *, show: bool, depth: int) -> None:
        """PGP/MIME (RFC 3156, 4). What is opened is shown apart from all around it (EFAIL)."""
        opened = self._open(_data(content, part.children[1]).strip()) if show else None
        if opened is None:
            for child in part.children:
                self._part(content, child, show=False, depth=depth + 1)
            return
        inner = tolerant(opened)
        root = _parsed(inner)
        self._page.begin(SEALED)
        if root is None:
            self._page.say(decode_charset(inner, b""))
        else:
            if depth == 0 and any(key in (b"subject", b"from") for key, _ in root.fields):
                self.protected = root.fields
            self._part(inner, root, show=True, depth=depth + 1)
        self._page.end(SEALED)

    def _inline_sealed(self, armored: bytes) -> None:
        opened = self._open(armored)
        if opened is None:
            self._page.say(decode_charset(armored, b""))
            return
        self._page.begin(SEALED)
        self._page.say(decode_charset(opened, b""))
        self._page.end(SEALED)

    def _open(self, armored: bytes) -> bytes | None:
        self._page.sealed = True
        self._opened += 1
        reason = "nothing here opens it"
        if self._opener is not None and self._opened <= limits.MAX_OPENED_PARTS:
            try:
                return self._opener(armored)
            except SealBrokenError as error:
                reason = str(error)
        self._page.unopened = True
        self._page.note(f"a part that its sender sealed with OpenPGP is not opened: {reason}")
        return None

    def _signed_data(self, content: bytes, part: Part, depth: int) -> bool:
        """S/MIME (RFC 8551): show what is signed; whether that was done."""
        self._opened += 1
        found = (
            read_smime(_data(content, part)) if self._opened <= limits.MAX_OPENED_PARTS else None
        )
        if found is None or found.content is None:
            if found is not None and found.kind != "signed_data":
                self._page.note("a part that is encrypted with S/MIME cannot be opened here")
            return False
        inner = tolerant(found.content)
        root = _parsed(inner)
        if root is None:
            return False
        head = SIGNED.format("S/MIME")
        self._page.begin(head)
        self._part(inner, root, show=True, depth=depth + 1)
        self._page.end(head)
        return True

    def _winmail(self, content: bytes, part: Part) -> bool:
        """Outlook's winmail.dat: its files become attachments; its text is shown if no other is."""
        found = read_tnef(_data(content, part))
        if found is None:
            return False
        if not self._page.has_text:
            html = (
                body_of(_html_part(part), found.html.encode(), self._budget)
                if found.html
                else Body("")
            )
            self._page.say(found.text or html.text)
        for file in found.files:
            self._page.attach(file.name, b"application/octet-stream", file.data)
        return True

    def _calendar(self, content: bytes, part: Part) -> None:
        data = _data(content, part)
        self._shown_calendars += 1
        if self._shown_calendars > limits.MAX_SHOWN_CALENDARS:
            self._attach(content, part)
            return
        text = calendar_text(decode_charset(data, part.parameters.get(b"charset", b"")))
        if text not in self._calendars:  # many programs send an invitation as two parts
            self._page.say(text or "[a calendar entry that cannot be read]")
        self._calendars.add(text)
        self._page.attach(_name(part) or "invitation.ics", part.type, data)

    def _attach(self, content: bytes, part: Part) -> None:
        data = _data(content, part)
        name = _name(part)
        if name or data.strip():
            suffix = _SUFFIXES.get(part.type, "")
            self._page.attach(name or (f"unnamed{suffix}" if suffix else ""), part.type, data)


def tolerant(content: bytes) -> bytes:
    """Content from inside a container, with CRLF line ends, whatever bytes it has."""
    try:
        return normalise(content)
    except MailRefusedError:
        lines = content.replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return lines.replace(b"\n", b"\r\n")


def _parsed(content: bytes) -> Part | None:
    try:
        return parse(content)
    except MailRefusedError:
        return None


def _data(content: bytes, part: Part) -> bytes:
    body = content[part.start : part.end]
    if part.encoding == b"x-uuencode" and (files := find_uuencoded(body)):
        return files[0].data
    return decode_transfer(body, part.encoding)


def _disposition(part: Part) -> tuple[bytes, dict[bytes, bytes]]:
    return parse_parameters(first(part.fields, b"content-disposition"))


def _name(part: Part) -> str:
    name = decode_parameter(_disposition(part)[1], b"filename")
    return name or decode_parameter(part.parameters, b"name")


def _has_text(content: bytes, part: Part) -> bool:
    return bool(_data(content, part).strip())


def _html_leaf(content: bytes, part: Part) -> Part | None:
    """The first HTML in a part that is no attachment and not empty."""
    for leaf in walk(part):
        attached = _disposition(leaf)[0] == b"attachment"
        if leaf.type == b"text/html" and not attached and _has_text(content, leaf):
            return leaf
    return None


def _related_root(part: Part) -> Part:
    """The part that is shown of a multipart/related (RFC 2387, 3.2)."""
    start = part.parameters.get(b"start", b"").strip(b" <>")
    for child in part.children:
        if start and first(child.fields, b"content-id").strip(b" <>") == start:
            return child
    return part.children[0]


def _signature_kind(part: Part) -> str:
    protocol = part.parameters.get(b"protocol", b"").lower()
    return "S/MIME" if b"pkcs7" in protocol else "OpenPGP" if b"pgp" in protocol else "a signature"


def _html_part(part: Part) -> Part:
    return Part([], b"text/html", {b"charset": b"utf-8"}, b"", 0, 0, part.depth)


def _head_lines(fields: list[Field]) -> str:
    """The fields of an attached message that a person reads, one to a line."""
    lines = [("From", address_line(fields, b"from")), ("To", address_line(fields, b"to"))]
    lines += [("Date", header_line(fields, b"date")), ("Subject", header_line(fields, b"subject"))]
    return "\n".join(f"{name}: {value}" for name, value in lines if value)
