"""The structure of a MIME mail (RFC 2045, 2046): one bounded pass over bytes, no recursion.

The scan before sealing and the renderer use the same tree: devices can show what servers accept.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from blackthorn.mail import limits
from blackthorn.mail.errors import too_complex
from blackthorn.mail.mime import fields as header
from blackthorn.mail.mime.fields import first
from blackthorn.mail.mime.transfer import IDENTITY, encoding_name

_DASH_LINE = re.compile(rb"^--([^\r\n]*)", re.MULTILINE)
"""Possible delimiter lines; matches in linear time."""

_FIRST_DELIMITER = re.compile(
    rb"^--([^\s-][^\r\n]{0,254}|-[^\r\n]{0,254})\r\nContent-", re.M | re.I
)
_GUESSED_WITHIN = 4_096
"""A part that no declared boundary begins is looked for in so many bytes of a mail's body."""


@dataclass(slots=True)
class Part:
    """One part: fields, type, and the place of its body in the mail."""

    fields: list[header.Field]
    type: bytes
    parameters: dict[bytes, bytes]
    encoding: bytes
    start: int
    end: int
    depth: int
    children: list["Part"] = field(default_factory=list)

    @property
    def boundary(self) -> bytes:
        """The delimiter of a multipart (RFC 2046, 5.1.1), in any form of RFC 2231, or empty."""
        return header.parameter(self.parameters, b"boundary")[1].rstrip(b" \t")

    @property
    def is_multipart(self) -> bool:
        return self.type.startswith(b"multipart/")


def walk(root: Part) -> Iterator[Part]:
    """`root` and its descendants in mail order."""
    waiting = [root]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(reversed(part.children))


def parse(content: bytes) -> Part:
    """The tree of parts of a mail. Raises MailRefusedError when a bound is exceeded."""
    return _Walker(content).run()


class _Walker:
    """One pass over delimiter lines, with a stack of open parts."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.budget = header.LineBudget()
        self.parts = 0
        self.dash_lines = 0
        self.open: list[Part] = []
        self.boundaries: dict[bytes, list[int]] = {}

    def run(self) -> Part:
        position = self._begin(0, b"text/plain")
        root = self.open[0]
        while self.boundaries:
            match = self._next_dash_line(position)
            if match is None:
                break
            position = self._delimit(match)
        self._close_above(-1, len(self.content))
        return root

    def _next_dash_line(self, position: int) -> re.Match[bytes] | None:
        """The next line from `position` on that an open boundary delimits."""
        for match in _DASH_LINE.finditer(self.content, position):
            self.dash_lines += 1
            if self.dash_lines > limits.MAX_MIME_DASH_LINES:
                raise too_complex("the mail has too many lines that look like delimiters")
            line = match[1].rstrip(b" \t")
            if line in self.boundaries or (line.endswith(b"--") and line[:-2] in self.boundaries):
                return match
        return None

    def _delimit(self, match: re.Match[bytes]) -> int:
        """Process a delimiter line; the next position."""
        line = match[1].rstrip(b" \t")
        last = line not in self.boundaries
        index = self.boundaries[line[:-2] if last else line][-1]
        multipart = self.open[index]
        self._close_above(index, max(match.start() - 2, 0))
        after = min(match.end() + 2, len(self.content))
        if last:
            self._close_above(index - 1, match.start())
            return after
        default = b"message/rfc822" if multipart.type == b"multipart/digest" else b"text/plain"
        return self._begin(after, default)

    def _begin(self, start: int, default: bytes) -> int:
        """Open the part at `start`, and messages attached unencoded; where its body begins."""
        while True:
            fields, body = header.split_fields(self.content, start, self.budget)
            part = self._open_part(fields, body, default)
            if part.type != b"message/rfc822" or part.encoding not in IDENTITY:
                return body
            start, default = body, b"text/plain"

    def _open_part(self, fields: list[header.Field], body: int, default: bytes) -> Part:
        self.parts += 1
        if self.parts > limits.MAX_MIME_PARTS:
            raise too_complex("the mail has too many parts")
        if len(self.open) > limits.MAX_MIME_DEPTH:
            raise too_complex("the mail's parts are nested too deeply")
        main, parameters = header.parse_parameters(first(fields, b"content-type"))
        encoding = encoding_name(first(fields, b"content-transfer-encoding"))
        kind = main if main.count(b"/") == 1 else default
        part = Part(fields, kind, parameters, encoding, body, body, len(self.open))
        header.check_parameters(first(fields, b"content-disposition"))
        if self.open:
            self.open[-1].children.append(part)
        self.open.append(part)
        if part.is_multipart and len(self.open) == 1 and kind != b"multipart/encrypted":
            self._guess_boundary(part)
        boundary = part.boundary
        if part.is_multipart and 0 < len(boundary) <= limits.MAX_MIME_BOUNDARY_BYTES:
            self.boundaries.setdefault(boundary, []).append(len(self.open) - 1)
        return part

    def _guess_boundary(self, root: Part) -> None:
        """Where the declared boundary occurs nowhere: take the first line that begins a part."""
        declared = b"--" + root.boundary
        if len(declared) > 2 and self.content.find(declared, root.start) >= 0:
            return
        found = _FIRST_DELIMITER.search(self.content, root.start, root.start + _GUESSED_WITHIN)
        if found is not None:
            others = {k: v for k, v in root.parameters.items() if not k.startswith(b"boundary")}
            root.parameters = {**others, b"boundary": found[1]}

    def _close_above(self, index: int, end: int) -> None:
        """Close the open parts above `index`: their bodies end at `end`."""
        while len(self.open) > index + 1:
            part = self.open.pop()
            part.end = max(part.start, end)
            boundary = part.boundary
            holders = self.boundaries.get(boundary)
            if holders and holders[-1] == len(self.open):
                holders.pop()
                if not holders:
                    del self.boundaries[boundary]
