"""Splits header fields and reads parameters (RFC 2045, RFC 2231), as bytes, in linear time."""

from dataclasses import dataclass

from blackthorn.mail import limits
from blackthorn.mail.errors import too_complex, too_large

Field = tuple[bytes, bytes]
"""Lower-case name and unfolded raw value."""


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
    """The lower-case value and the parameters, first of each name. MailRefusedError."""
    check_parameters(value)
    semicolon = value.find(b";")
    main = value if semicolon < 0 else value[:semicolon]
    parameters: dict[bytes, bytes] = {}
    position = len(value) if semicolon < 0 else semicolon + 1
    while position < len(value):
        equals = value.find(b"=", position)
        stop = value.find(b";", position)
        if equals < 0:
            break
        if 0 <= stop < equals:
            position = stop + 1
            continue
        name = value[position:equals].strip().lower()
        text, position = _parameter_value(value, equals + 1)
        parameters.setdefault(name, text)
    return main.strip().lower(), parameters


def _parameter_value(value: bytes, position: int) -> tuple[bytes, int]:
    """The value at `position` (token or quoted-string), and where its semicolon ends."""
    size = len(value)
    while position < size and value[position] in b" \t":
        position += 1
    if position < size and value[position] == 0x22:
        text, position = _quoted(value, position + 1)
        end = value.find(b";", position)
    else:
        end = value.find(b";", position)
        text = value[position : size if end < 0 else end].strip()
    return text, size if end < 0 else end + 1


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
