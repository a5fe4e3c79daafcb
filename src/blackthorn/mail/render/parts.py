"""What the walk asks of a part: its bytes and its text, each made once, its name, its role."""

from collections.abc import Iterator

from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.mime.fields import first, parse_parameters
from blackthorn.mail.mime.scan import normalise
from blackthorn.mail.mime.structure import Part, parse, walk
from blackthorn.mail.mime.transfer import decode_transfer
from blackthorn.mail.render.bodies import Body, body_of
from blackthorn.mail.render.html import HtmlBudget
from blackthorn.mail.render.text import decode_parameter
from blackthorn.mail.unpack.uuencode import find_uuencoded


class Contents:
    """The bytes and texts of a mail's parts. A part is kept too, so that its id stays its own."""

    def __init__(self) -> None:
        self.budget = HtmlBudget()
        self._data: dict[int, tuple[Part, bytes]] = {}
        self._bodies: dict[int, Body] = {}

    def data(self, content: bytes, part: Part) -> bytes:
        """The bytes of a part without their transfer encoding."""
        if id(part) not in self._data:
            self._data[id(part)] = part, _decoded(content, part)
        return self._data[id(part)][1]

    def body(self, content: bytes, part: Part) -> Body:
        """The text of a text part."""
        if id(part) not in self._bodies:
            self._bodies[id(part)] = body_of(part, self.data(content, part), self.budget)
        return self._bodies[id(part)]

    def texts(self, content: bytes, part: Part, kind: bytes = b"text/") -> Iterator[Part]:
        """The texts in a part that are no attachments and not empty; `kind` begins their type."""
        for leaf in walk(part):
            is_text = leaf.type.startswith(kind) and not is_attached(leaf)
            if is_text and self.data(content, leaf).strip():
                yield leaf


def tolerant(content: bytes) -> bytes:
    """Content from inside a container, with CRLF line ends, whatever bytes it has."""
    try:
        return normalise(content)
    except MailRefusedError:
        lines = content.replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return lines.replace(b"\n", b"\r\n")


def parsed(content: bytes) -> Part | None:
    """The tree of parts, or None where a bound is exceeded."""
    try:
        return parse(content)
    except MailRefusedError:
        return None


def is_attached(part: Part) -> bool:
    """Whether its sender wants it saved, not shown (RFC 2183, 2.2)."""
    return _disposition(part)[0] == b"attachment"


def name_of(part: Part) -> str:
    """The file name that its sender gives a part, or ""; not yet safe."""
    name = decode_parameter(_disposition(part)[1], b"filename")
    return name or decode_parameter(part.parameters, b"name")


def related_root(part: Part) -> Part:
    """The part that is shown of a multipart/related (RFC 2387, 3.2)."""
    start = part.parameters.get(b"start", b"").strip(b" <>")
    for child in part.children:
        if start and first(child.fields, b"content-id").strip(b" <>") == start:
            return child
    return part.children[0]


def signature_kind(part: Part) -> str:
    """Of a multipart/signed (RFC 1847), by its protocol."""
    protocol = part.parameters.get(b"protocol", b"").lower()
    return "S/MIME" if b"pkcs7" in protocol else "OpenPGP" if b"pgp" in protocol else "a signature"


def html_part(part: Part) -> Part:
    """HTML in UTF-8 that stands in a container."""
    return Part([], b"text/html", {b"charset": b"utf-8"}, b"", 0, 0, part.depth)


def _decoded(content: bytes, part: Part) -> bytes:
    body = content[part.start : part.end]
    if part.encoding == b"x-uuencode" and (files := find_uuencoded(body)):
        return files[0].data
    return decode_transfer(body, part.encoding)


def _disposition(part: Part) -> tuple[bytes, dict[bytes, bytes]]:
    return parse_parameters(first(part.fields, b"content-disposition"))
