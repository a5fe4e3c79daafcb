"""Parses envelope paths (RFC 5321, 4.1.2) of MAIL and RCPT arguments; `wire.address` judges them.

The standard library's address parsers are fooled by comments and raise, so they are not used.
"""

import re
from typing import Final

from blackthorn.mail import limits

NULL_SENDER = "<>"
"""What a bounce has for a sender."""

_HOP = r'@[^\s"<>@:,]+'
_PATH: Final = re.compile(
    rf"<(?P<path>(?:{_HOP}(?:,{_HOP})*:)?"  # a source route is taken and ignored (4.1.1.3)
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"(?P<domain>@[^">]*)?|(?P<plain>(?!")[^>]*)))>'
    r"(?: (?P<rest>.*))?"
)
_DOT_ATOM: Final = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)


def parse_path(argument: str) -> tuple[str, str] | None:
    """The address in `<…>` (or NULL_SENDER) and the rest of the argument; None if malformed.

    A quoted local part loses quotes that it does not need: both are one address (4.1.2).
    """
    found = _PATH.fullmatch(argument.strip())
    if found is None:
        return None
    path, rest = found["path"], (found["rest"] or "").strip()
    if not path:
        return NULL_SENDER, rest
    if len(path.encode("utf-8", "replace")) > limits.MAX_PATH_BYTES or not path.isprintable():
        return None
    if found["quoted"] is None:
        return (found["plain"], rest) if found["plain"] else None
    local = re.sub(r"\\(.)", r"\1", found["quoted"])
    local = local if _DOT_ATOM.fullmatch(local) else f'"{found["quoted"]}"'
    return local + (found["domain"] or ""), rest
