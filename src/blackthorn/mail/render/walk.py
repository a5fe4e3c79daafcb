"""Walks a mail's parts in order and decides which are shown, and how.

Every part that is meant to be read is shown, in the order of its author; of alternatives the plain
text, unless it says much less than the HTML. All others, and what cannot be read, are attachments.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final

from blackthorn.mail.errors import SealBrokenError
from blackthorn.mail.mime.fields import Field
from blackthorn.mail.mime.structure import Part
from blackthorn.mail.render import limits
from blackthorn.mail.render.bodies import Body, body_of, words
from blackthorn.mail.render.calendar import calendar_text
from blackthorn.mail.render.headers import address_line, header_line
from blackthorn.mail.render.page import Page
from blackthorn.mail.render.parts import (
    Contents,
    html_part,
    is_attached,
    name_of,
    parsed,
    related_root,
    signature_kind,
    tolerant,
)
from blackthorn.mail.render.text import decode_charset
from blackthorn.mail.unpack.openpgp_text import split_openpgp
from blackthorn.mail.unpack.smime import read_smime
from blackthorn.mail.unpack.tnef import read_tnef
from blackthorn.mail.unpack.uuencode import find_uuencoded

Opener = Callable[[bytes], bytes]
"""Opens an armored OpenPGP message for the reader. Raises SealBrokenError, whose text says why.

What else it raises ends the rendering."""

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
_NAMED_TEXTS: Final = (b"text/plain", b"text/html")
"""Texts that are shown also where they have a file's name."""
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


class Use(Enum):
    """What becomes of a part."""

    SHOWN = "its text is shown, its files are attached"
    LEFT_OUT = "another version, with which it was compared, is shown; its files are attached"
    ATTACHED = "all of it is attached"


class Walker:
    """Shows one mail on a page. `protected` are the sealed header fields, if there are such.

    `own_header`: those of the mail itself count, and none in a seal.
    """

    def __init__(
        self,
        page: Page,
        opener: Opener | None,
        *,
        prefer_html: bool = False,
        own_header: bool = False,
    ) -> None:
        self._page = page
        self._own_header = own_header
        self._opener = opener
        self._prefer_html = prefer_html
        self._opened = self._messages = self._shown_calendars = 0
        self._message_bytes = limits.MAX_ATTACHED_MESSAGE_BYTES
        self._contents = Contents()
        self._calendars: set[str] = set()
        self.protected: list[Field] | None = None

    def entity(self, content: bytes, root: Part) -> None:
        """Show a mail. Raises nothing."""
        self._part(content, root, Use.SHOWN, depth=0)

    def header(self, content: bytes, root: Part) -> None:
        """Only `protected`, where the whole mail is sealed: nothing else is opened or shown."""
        if _is_sealed(root) and not self._own_header:
            self._open_root(content, root, depth=0)

    def _part(self, content: bytes, part: Part, use: Use, *, depth: int) -> None:
        if depth > limits.MAX_WALK_DEPTH:
            self._attach(content, part)
        elif _is_sealed(part):
            self._encrypted(content, part, use, depth=depth)
        elif part.is_multipart and part.children:
            self._multipart(content, part, use, depth=depth)
        elif part.type in _MESSAGES:
            self._message(content, part, use, depth=depth)
        else:
            self._leaf(content, part, use, depth=depth)

    def _multipart(self, content: bytes, part: Part, use: Use, *, depth: int) -> None:
        uses = self._uses(content, part, use)
        signed = part.type == b"multipart/signed" and use is Use.SHOWN
        head = SIGNED.format(signature_kind(part))
        if signed:
            self._page.begin(head)
        for at, child in enumerate(part.children):
            self._part(content, child, uses[at], depth=depth + 1)
            if signed and at == 0:
                self._page.end(head)

    def _uses(self, content: bytes, part: Part, use: Use) -> list[Use]:
        """What becomes of the parts of a multipart."""
        if part.type == b"multipart/alternative" and use is Use.SHOWN:
            shown, compared = self._choose(content, part.children)
            others = (c for c in part.children if c is not shown and c is not compared)
            unseen = {id(c) for c in others if any(self._contents.texts(content, c))}
            return [
                use if c is shown else Use.ATTACHED if id(c) in unseen else Use.LEFT_OUT
                for c in part.children
            ]
        if part.type == b"multipart/related":
            root = related_root(part)
            return [use if child is root else Use.ATTACHED for child in part.children]
        return [use] * len(part.children)

    def _choose(self, content: bytes, children: list[Part]) -> tuple[Part, Part | None]:
        """The alternative to show (RFC 2046, 5.1.4), and the one whose words it was compared to."""
        plains = (child for child in children if child.type == b"text/plain")
        body, texts = self._contents.body, self._contents.texts
        plain = next((text for text in plains if body(content, text).text.strip()), None)
        rich = next((c for c in reversed(children) if any(texts(content, c, b"text/html"))), None)
        if rich is None or plain is None:
            readable = [c for c in children if c.type.startswith((b"text/", b"multipart/"))]
            return plain or rich or (readable[-1] if readable else children[-1]), None
        if self._prefer_html:
            return rich, plain
        page = " ".join(body(content, text).text for text in texts(content, rich))
        told, meant = words(body(content, plain).text), words(page)
        if len(meant) > _MORE_WORDS * len(told) + _FEW_WORDS:
            self._page.note("the plain text version, which says less, is not shown")
            return rich, plain
        if missing := _other_words(told, meant):
            self._page.note(f"its HTML version has {missing} other words: --html shows it")
        return plain, rich

    def _message(self, content: bytes, part: Part, use: Use, *, depth: int) -> None:
        """An attached message: its head and its text, and itself as a file."""
        self._messages += 1
        self._message_bytes -= part.end - part.start
        kept = self._message_bytes >= 0
        inner, root = content, part.children[0] if part.children else None
        if root is None and kept:
            inner = tolerant(self._contents.data(content, part))
            root = parsed(inner)
        if kept:
            subject = header_line(root.fields, b"subject") if root else ""
            name = name_of(part) or f"{subject or 'message'}.eml"
            self._page.attach(name, part.type, self._contents.data(content, part))
        else:
            self._page.note("an attached message is too large to be saved apart from the mail")
        if root is None or use is not Use.SHOWN or self._messages > limits.MAX_SHOWN_MESSAGES:
            return
        self._page.begin(MESSAGE)
        self._page.say(_head_lines(root.fields))
        self._part(inner, root, Use.SHOWN, depth=depth + 1)
        self._page.end(MESSAGE)

    def _leaf(self, content: bytes, part: Part, use: Use, *, depth: int) -> None:
        kind, name = part.type, name_of(part)
        if kind in _SMIME and self._signed_data(content, part, depth):
            return
        if (kind in _TNEF or name.lower() == "winmail.dat") and self._winmail(content, part):
            return
        if kind in _CALENDARS or name.lower().endswith(".ics"):
            self._calendar(content, part)
            return
        attached = is_attached(part)
        text = kind.startswith(b"text/") or part.is_multipart
        if kind in _REPORTS or (text and not attached and (not name or kind in _NAMED_TEXTS)):
            whole = use is Use.LEFT_OUT or (use is Use.SHOWN and self._text(content, part))
            if not whole or (name and part.end > part.start and kind not in _REPORTS):
                self._attach(content, part)
        else:
            self._attach(content, part)
            if use is Use.SHOWN and not attached and kind.startswith(b"image/"):
                self._page.say(f"[picture: {name}]" if name else "[picture]")

    def _text(self, content: bytes, part: Part) -> bool:
        """Show a text, with what is sealed, signed or encoded in it; whether all of it is shown."""
        data = self._contents.data(content, part)
        if name_of(part) and len(data) > _MAX_NAMED_TEXT:
            return False
        if part.type == b"text/html":
            return self._body(self._contents.body(content, part))
        for piece in split_openpgp(data):
            if piece.kind == "sealed":
                self._inline_sealed(piece.data)
            elif piece.kind == "signed":
                self._page.begin(SIGNED.format("OpenPGP"))
                self._plain(part, piece.data)
                self._page.end(SIGNED.format("OpenPGP"))
            else:
                self._plain(part, piece.data)
        return True

    def _body(self, body: Body) -> bool:
        """Show a text and say what it hides; whether all of it is shown."""
        self._page.say(body.text)
        if body.html is not None:
            self._page.note_html(body.html)
        return body.html is None or not (body.html.cut or body.html.bare)

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

    def _encrypted(self, content: bytes, part: Part, use: Use, *, depth: int) -> None:
        """PGP/MIME (RFC 3156, 4). What is opened is shown apart from all around it (EFAIL)."""
        opened = self._open_root(content, part, depth=depth) if use is Use.SHOWN else None
        for child in part.children[2 if opened else 0 :]:
            self._part(content, child, Use.ATTACHED, depth=depth + 1)
        if opened is None:
            return
        inner, root = opened
        self._page.begin(SEALED)
        if root is None:
            self._page.say(decode_charset(inner, b""))
        else:
            if root.fields is not self.protected:
                self._page.say(_head_lines(root.fields))
            self._part(inner, root, Use.SHOWN, depth=depth + 1)
        self._page.end(SEALED)

    def _open_root(
        self, content: bytes, part: Part, *, depth: int
    ) -> tuple[bytes, Part | None] | None:
        """What is sealed in a multipart/encrypted, and its parts if it can be parsed."""
        opened = self._open(self._contents.data(content, part.children[1]).strip())
        if opened is None:
            return None
        inner = tolerant(opened)
        root = parsed(inner)
        whole = depth == 0 and not self._own_header
        fields = root.fields if root is not None and whole else []
        if any(key in (b"subject", b"from") for key, _ in fields):
            self.protected = fields
        return inner, root

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
        data = self._contents.data(content, part)
        found = read_smime(data) if self._opened <= limits.MAX_OPENED_PARTS else None
        if found is None or found.content is None:
            if found is not None and found.kind != "signed_data":
                self._page.note("a part that is encrypted with S/MIME cannot be opened here")
            return False
        inner = tolerant(found.content)
        root = parsed(inner)
        if root is None:
            return False
        head = SIGNED.format("S/MIME")
        self._page.begin(head)
        self._part(inner, root, Use.SHOWN, depth=depth + 1)
        self._page.end(head)
        return True

    def _winmail(self, content: bytes, part: Part) -> bool:
        """Outlook's winmail.dat: its files become attachments; its text is shown unless it was.

        Where it holds more than that, this is said, and it is attached itself. False for one of
        nothing.
        """
        self._opened += 1
        data = self._contents.data(content, part)
        found = read_tnef(data) if self._opened <= limits.MAX_OPENED_PARTS else None
        if found is None:
            return False
        body, whole = Body(found.text), True
        if found.html and not found.text:
            body = body_of(html_part(part), found.html.encode(), self._contents.budget)
        if not self._page.has_text or _other_words(words(self._page.text), words(body.text)):
            whole = self._body(body)
        for file in found.files:
            self._page.attach(file.name, b"application/octet-stream", file.data)
        unread = not (found.complete and whole) or (found.rtf and not self._page.has_text)
        if unread:
            self._page.note("not all of winmail.dat can be read here: it is attached for Outlook")
            self._page.attach(name_of(part) or "winmail.dat", part.type, data)
        return bool(found.text or found.html or found.files) or unread

    def _calendar(self, content: bytes, part: Part) -> None:
        data = self._contents.data(content, part)
        self._shown_calendars += 1
        if self._shown_calendars > limits.MAX_SHOWN_CALENDARS:
            self._attach(content, part)
            return
        text = calendar_text(decode_charset(data, part.parameters.get(b"charset", b"")))
        if text not in self._calendars:  # many programs send an invitation as two parts
            self._page.say(text or "[a calendar entry that cannot be read]")
        self._calendars.add(text)
        self._page.attach(name_of(part) or "invitation.ics", part.type, data)

    def _attach(self, content: bytes, part: Part) -> None:
        data = self._contents.data(content, part)
        name = name_of(part)
        if name or data.strip():
            suffix = _SUFFIXES.get(part.type, "")
            self._page.attach(name or (f"unnamed{suffix}" if suffix else ""), part.type, data)


def _is_sealed(part: Part) -> bool:
    """PGP/MIME (RFC 3156, 4): a control part and the armored message."""
    return part.type == b"multipart/encrypted" and len(part.children) > 1


def _other_words(told: list[str], meant: list[str]) -> int:
    """How many words of a text another has not; 0 for few."""
    missing = len(set(meant) - set(told))
    return missing if missing > len(set(meant)) // 4 and missing > _FEW_WORDS else 0


def _head_lines(fields: list[Field]) -> str:
    """The fields of an attached message that a person reads, one to a line."""
    lines = [("From", address_line(fields, b"from")), ("To", address_line(fields, b"to"))]
    lines += [("Date", header_line(fields, b"date")), ("Subject", header_line(fields, b"subject"))]
    return "\n".join(f"{name}: {value}" for name, value in lines if value)
