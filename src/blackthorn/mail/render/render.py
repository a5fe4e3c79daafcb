"""Renders any bytes as a mail to display: some header fields, the best text, the attachments.

Nothing is decrypted or fetched, so HTML cannot exfiltrate a secret (EFAIL).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from blackthorn.mail import limits
from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.mime.fields import first, parse_parameters
from blackthorn.mail.mime.scan import normalise
from blackthorn.mail.mime.structure import Part, parse, walk
from blackthorn.mail.mime.transfer import decode_transfer
from blackthorn.mail.render import text as texts
from blackthorn.mail.render.html import html_to_text
from blackthorn.mail.render.names import file_name
from blackthorn.mail.render.text import safe_line, safe_text

_PGP_MESSAGE = "-----BEGIN PGP MESSAGE-----"
_SEALED = (
    "[Its sender sealed this mail by OpenPGP. What is sealed is shown below or listed as an "
    "attachment; opening it is not offered yet.]"
)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A name without a path, the declared type, the decoded size in bytes."""

    name: str
    type: str
    size: int


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """All strings are safe to print. `parsed` is False for an excerpt, `sealed` True for PGP."""

    sender: str
    to: str
    cc: str
    subject: str
    date: str
    text: str
    attachments: tuple[Attachment, ...]
    parsed: bool
    sealed: bool = False


def render(content: bytes) -> RenderedMail:
    """Render raw RFC 5322 bytes of any length. Never raises."""
    try:
        return _rendered(normalise(content))
    except MailRefusedError as error:
        excerpt = safe_text(content[: limits.MAX_EXCERPT_BYTES].decode("utf-8", "replace"))
        text = f"[not parsed: {error}; it begins with]\n{excerpt}"
        return RenderedMail("", "", "", "", "", text, (), False)


def attached(content: bytes) -> list[tuple[Attachment, bytes]]:
    """The attachments in the order of `render`, with their decoded bytes. Never raises."""
    try:
        content = normalise(content)
        root = parse(content)
    except MailRefusedError:
        return []
    body = _best_text(root)
    return [
        (_attachment(content, part), _data(content, part))
        for part in _leaves(root)
        if not _is_shown(part, body)
    ]


def _rendered(content: bytes) -> RenderedMail:
    root = parse(content)
    body = _best_text(root)
    text = _text_of(content, body) if body else ""
    sealed = root.type == b"multipart/encrypted" or text.lstrip().startswith(_PGP_MESSAGE)
    if sealed:
        text = f"{_SEALED}\n\n{text}".rstrip("\n")
    return RenderedMail(
        sender=_header(root, b"from"),
        to=_header(root, b"to"),
        cc=_header(root, b"cc"),
        subject=_header(root, b"subject"),
        date=_header(root, b"date"),
        text=text,
        attachments=tuple(
            _attachment(content, part) for part in _leaves(root) if not _is_shown(part, body)
        ),
        parsed=True,
        sealed=sealed,
    )


def _header(root: Part, name: bytes) -> str:
    return safe_line(texts.decode_header(first(root.fields, name)))


def _leaves(root: Part) -> Iterator[Part]:
    """Parts with content of their own; an attached message is one part."""
    inside = -1
    for part in walk(root):
        if 0 <= inside < part.depth:
            continue
        inside = part.depth if part.type == b"message/rfc822" and part is not root else -1
        if not part.children or inside >= 0:
            yield part


def _disposition(part: Part) -> tuple[bytes, dict[bytes, bytes]]:
    return parse_parameters(first(part.fields, b"content-disposition"))


def _best_text(root: Part) -> Part | None:
    """The first plain text that is no attachment, else HTML, else an unreadable body."""
    candidates = [part for part in _leaves(root) if _disposition(part)[0] != b"attachment"]
    for kind in (b"text/plain", b"text/html"):
        for part in candidates:
            if part.type == kind and part.end > part.start:
                return part
    for part in candidates:
        if part.type.startswith(b"text/") or part.is_multipart:
            return part
    return None


def _is_shown(part: Part, body: Part | None) -> bool:
    """Whether the part is the body, its alternative, or empty text."""
    if part is body:
        return True
    plain = part.type in (b"text/plain", b"text/html")
    unnamed = not _name(part) and _disposition(part)[0] != b"attachment"
    return plain and unnamed and (part.type == b"text/html" or part.start == part.end)


def _text_of(content: bytes, part: Part) -> str:
    data = decode_transfer(content[part.start : part.end], part.encoding)
    text = texts.decode_charset(data, part.parameters.get(b"charset", b""))
    if part.type == b"text/html":
        text = html_to_text(text)
    return safe_text(text, limits.MAX_RENDERED_CHARS).strip("\n")


def _name(part: Part) -> str:
    name = texts.decode_parameter(_disposition(part)[1], b"filename")
    name = name or texts.decode_parameter(part.parameters, b"name")
    return file_name(name)


def _attachment(content: bytes, part: Part) -> Attachment:
    size = len(_data(content, part))
    kind = safe_line(part.type.decode("ascii", "replace"), limits.MAX_RENDERED_NAME_CHARS)
    return Attachment(_name(part) or "unnamed", kind, size)


def _data(content: bytes, part: Part) -> bytes:
    body = content[part.start : part.end]
    if part.encoding in (b"base64", b"quoted-printable"):
        return decode_transfer(body, part.encoding)
    return body
