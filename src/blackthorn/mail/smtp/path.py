"""Envelope paths (RFC 5321, 4.1.2): take one out of a MAIL or RCPT argument, decide nothing.

Whom a mail is for is decided by `wire.address` alone. The standard library's address parsers
have been fooled by comments and raise at will, so they are not used.
"""

from blackthorn.mail import limits

NULL_SENDER = "<>"
"""What a bounce has for a sender."""


def parse_path(argument: str) -> tuple[str, str] | None:
    """The path in `<…>` at the start of the argument, and the rest of it.

    NULL_SENDER for the null sender; None when it is no path.
    """
    path, closing, rest = argument.strip().partition(">")
    if not path.startswith("<") or not closing or (rest and not rest.startswith(" ")):
        return None
    address = path[1:]
    if not address:
        return NULL_SENDER, rest.strip()
    if len(address.encode("utf-8", "replace")) > limits.MAX_PATH_BYTES or not address.isprintable():
        return None
    return address, rest.strip()
