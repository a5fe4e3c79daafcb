"""The header of an opened mail: the sealed one where its sender has sealed one (RFC 9788).

With a sealed header the outer one counts for nothing, so that nobody on the way can add a recipient
or a subject. Without one, as older programs send it, the outer fields that a reader sees are taken.
"""

from typing import Final

from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.mime.fields import Field, LineBudget, first, parse_parameters, split_fields

_SHOWN: Final = (
    b"from",
    b"to",
    b"cc",
    b"reply-to",
    b"subject",
    b"date",
    b"message-id",
    b"in-reply-to",
    b"references",
)


def message_of(outer: list[Field], payload: bytes) -> bytes:
    """The mail (RFC 5322) of a sealed MIME entity and the fields around it."""
    ends = payload if b"\r\n" in payload else payload.replace(b"\n", b"\r\n")
    try:
        fields, _ = split_fields(ends, 0, LineBudget())
        _, parameters = parse_parameters(first(fields, b"content-type"))
    except MailRefusedError:
        return payload  # which the reader refuses in its own words
    sealed = parameters.get(b"hp") or parameters.get(b"protected-headers")
    if sealed or any(name == b"from" for name, _ in fields):
        return payload
    own = {name for name, _ in fields}
    taken = [(name, value) for name, value in outer if name in _SHOWN and name not in own]
    lines = [name.title() + b": " + value for name, value in taken if value]
    return b"".join(line + b"\r\n" for line in lines) + ends
