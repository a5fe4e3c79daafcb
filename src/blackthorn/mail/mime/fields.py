"""Splits header fields and reads parameters (RFC 2045, RFC 2231), as bytes, in linear time."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from blackthorn.mail import limits
from blackthorn.mail.errors import too_complex, too_large

Field = tuple[bytes, bytes]
"""Lower-case name and unfolded raw value."""

_MAIN: Final = re.compile(rb"[ \t]*([^\s;]*(?:[ \t]*/[ \t]*[^\s;]+)?)")
_NAME: Final = re.compile(rb"[ \t\r\n;]*([!#-'*+\-.0-9A-Z^-~]{1,64})[ \t]*=")
_WITH_BLANKS: Final = (b"name", b"filename")
"""Parameters that are often written without the quotes that their blanks need."""


@dataclass(slots=True)
class LineBudget:
    """Header lines that may still be parsed in this mail."""

    left: int = limits.MAX_MAIL_HEADER_LINES

    def spend(self) -> None:
        """Count one line. Raises MailRefusedError when none is left."""
        self.left -= 1
        if self.left < 0:
            raise too_complex("the mail has too many header lines")


def split_fields(content: bytes, start: int, budget: LineBudget) -> tuple[list[Field], int]:
    """The header fields from `start` on, and where the body begins (lines end in CRLF).

    A line that is neither field nor continuation begins the body. Raises MailRefusedError.
    """
    fields: list[tuple[bytes, list[bytes]]] = []
    position, size = start, len(content)
    while position < size:
        end = content.find(b"\r\n", position)
        end = size if end < 0 else end
        if end == position:
            position += 2
            break
        budget.spend()
        if end - start > limits.MAX_MAIL_HEADER_BYTES:
            raise too_large("the mail's header is too large")
        if content[position] in b" \t" and fields:
            fields[-1][1].append(content[position:end])
        elif (field := _field(content, position, end)) is not None:
            fields.append(field)
        elif not (position == start and content.startswith(b"From ", position)):
            break
        position = min(end + 2, size)
        if len(fields) > limits.MAX_MAIL_HEADER_FIELDS:
            raise too_complex("the mail has too many header fields")
    joined = [(name, b"".join(lines).strip()) for name, lines in fields]
    if any(value.count(b"=?") > limits.MAX_ENCODED_WORDS for _, value in joined):
        raise too_complex("a header field has too many encoded words")
    return joined, position


def _field(content: bytes, start: int, end: int) -> tuple[bytes, list[bytes]] | None:
    colon = content.find(b":", start, end)
    name = content[start:colon].rstrip(b" \t") if colon > start else b""
    if not name or b" " in name or b"\t" in name or content.startswith(b"--", start):
        return None
    return name.lower(), [content[colon + 1 : end]]


def first(fields: list[Field], name: bytes) -> bytes:
    """The first value of a lower-case name, or b""."""
    return next((value for key, value in fields if key == name), b"")


def check_parameters(value: bytes) -> None:
    """Raises MailRefusedError above MAX_MIME_PARAMETERS."""
    if value.count(b";") > limits.MAX_MIME_PARAMETERS:
        raise too_complex("a header field has too many parameters")


def parse_parameters(value: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """The lower-case value and the parameters, first of each name. MailRefusedError.

    A missing semicolon is forgiven where a blank and "name=" follow; comments are left out.
    """
    check_parameters(value)
    main = _MAIN.match(value)
    position = main.end() if main else 0
    parameters: dict[bytes, bytes] = {}
    for _ in range(2 * limits.MAX_MIME_PARAMETERS):
        found = _NAME.match(value, position)
        if found is None:
            semicolon = value.find(b";", position)
            if semicolon < 0:
                break
            position = semicolon + 1
            continue
        name = found[1].lower()
        text, position = _parameter_value(value, found.end(), name)
        parameters.setdefault(name, text)
    kind = main[1].translate(None, b' \t"').lower() if main else b""
    return kind, parameters


def parameter(parameters: dict[bytes, bytes], name: bytes) -> tuple[bytes, bytes, bool]:
    """A parameter in any form: its charset or b"", its bytes, and whether RFC 2231 encoded it.

    The extended form wins over the plain one, which is for programs that do not know it.
    """
    if (extended := parameters.get(name + b"*")) is not None:
        charset, quote, rest = extended.partition(b"'")
        text = rest.partition(b"'")[2] if quote else extended
        return charset if quote else b"", unquote_to_bytes(text), True
    pieces: list[bytes] = []
    charset, encoded = b"", False
    for index in range(limits.MAX_MIME_PARAMETERS):
        key = name + b"*%d" % index
        piece = parameters.get(key)
        if piece is None:
            if (piece := parameters.get(key + b"*")) is None:
                break
            encoded = True
            if index == 0 and piece.count(b"'") >= 2:
                charset, _, piece = piece.split(b"'", 2)
            piece = unquote_to_bytes(piece)
        pieces.append(piece)
    if pieces:
        return charset, b"".join(pieces), encoded
    return b"", parameters.get(name, b""), False


def _parameter_value(value: bytes, position: int, name: bytes) -> tuple[bytes, int]:
    """The value at `position` (token or quoted-string), and where the next parameter may begin."""
    size = len(value)
    while position < size and value[position] in b" \t":
        position += 1
    if position < size and value[position] == 0x22:
        return _quoted(value, position + 1)
    end = value.find(b";", position)
    end = size if end < 0 else end
    words = value[position:end].split(None, 1)
    if len(words) > 1 and name.partition(b"*")[0] not in _WITH_BLANKS:
        after = value.find(words[0], position) + len(words[0])
        if words[1].startswith(b"(") or _NAME.match(value, after):  # a comment, or no semicolon
            return words[0], after
    return value[position:end].strip(), end


def _quoted(value: bytes, position: int) -> tuple[bytes, int]:
    pieces: list[bytes] = []
    while True:
        quote = value.find(b'"', position)
        end = len(value) if quote < 0 else quote
        slash = value.find(b"\\", position, end)
        if slash < 0:
            pieces.append(value[position:end])
            return b"".join(pieces), end + 1
        pieces += value[position:slash], value[slash + 1 : slash + 2]
        position = slash + 2
