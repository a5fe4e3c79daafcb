"""The scan of every inbound mail before it is parsed or sealed, linear in its bytes.

Bytes stay unchanged, except that a lone LF becomes CRLF, so that no sealed mail can smuggle a
second message into another server. A lone CR or a NUL is refused.
"""

from blackthorn.mail import limits
from blackthorn.mail.errors import looping, malformed, too_large
from blackthorn.mail.mime.fields import check_parameters
from blackthorn.mail.mime.structure import Part, parse, walk

_PARAMETER_FIELDS = (b"content-type", b"content-disposition")


def scan(content: bytes) -> bytes:
    """The mail with CRLF line ends, within `limits`. Raises only MailRefusedError."""
    return scan_parts(content)[0]


def scan_parts(content: bytes) -> tuple[bytes, Part]:
    """As `scan`, with the tree of parts."""
    if len(content) > limits.MAX_MAIL_BYTES:
        raise too_large("the mail is too large")
    content = normalise(content)
    if len(content) > limits.MAX_MAIL_BYTES:
        raise too_large("the mail is too large")
    _check_lines(content)
    root = parse(content)
    if sum(name == b"received" for name, _ in root.fields) > limits.MAX_HOPS:
        raise looping("the mail has passed too many servers")
    for part in walk(root):
        for name, value in part.fields:
            if name in _PARAMETER_FIELDS:
                check_parameters(value)
    return content, root


def remove_dots(data: bytes) -> bytes:
    """Mail data without SMTP's dot-stuffing (RFC 5321, 4.5.2). Raises MailRefusedError for a NUL.

    Clients with lone LF line ends, as smtplib with bytes, double dots there too; a single dot after
    a lone LF is the mail's own.
    """
    if b"\0" in data:
        raise malformed("the mail holds a NUL byte")
    if not data.startswith(b".") and b"\n." not in data:
        return data
    marked = (b"\r\n" + data).replace(b"\r\n.", b"\r\n\0")
    return marked.replace(b"\n..", b"\n.").replace(b"\0", b"")[2:]


def normalise(content: bytes) -> bytes:
    """`content` with CRLF line ends. Raises MailRefusedError for a NUL or a lone CR."""
    if b"\0" in content:
        raise malformed("the mail holds a NUL byte")
    ends = content.count(b"\r\n")
    if content.count(b"\r") != ends:
        raise malformed("the mail holds a lone CR")
    if content.count(b"\n") == ends:
        return content
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _check_lines(content: bytes) -> None:
    """Refuse a line above MAX_MAIL_LINE_BYTES."""
    position, window = 0, limits.MAX_MAIL_LINE_BYTES + 2
    while len(content) - position > limits.MAX_MAIL_LINE_BYTES:
        newline = content.rfind(b"\n", position, position + window)
        if newline < 0:
            raise too_large("the mail has too long a line")
        position = newline + 1
