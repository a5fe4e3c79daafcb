"""AUTH (RFC 4954) by PLAIN (RFC 4616) and LOGIN, over TLS alone; the policy checks the password."""

import base64
import binascii
from collections.abc import Awaitable, Callable

Ask = Callable[[bytes], Awaitable[bytes | None]]
"""Sends a challenge and returns the decoded answer; None when the client gave up."""


async def credentials(argument: str, ask: Ask) -> tuple[str, bytes] | str | None:
    """Name and password from AUTH's argument and what the client answers.

    A text is the refusing reply; None: the client gave up, and was told so.
    """
    mechanism, _, initial = argument.strip().partition(" ")
    if mechanism.upper() == "PLAIN":
        answer = _decode(initial) if initial else await ask(b"")
        return None if answer is None and not initial else _plain(answer)
    if mechanism.upper() == "LOGIN":
        name = _decode(initial) if initial else await ask(b"Username:")
        if name is None:
            return _MALFORMED if initial else None
        password = await ask(b"Password:")
        return None if password is None else (name.decode("utf-8", "replace"), password)
    return "504 5.5.4 use PLAIN or LOGIN"


_MALFORMED = "501 5.5.2 not an answer to AUTH"


def _plain(answer: bytes | None) -> tuple[str, bytes] | str:
    """authzid NUL authcid NUL passwd; the first is empty or the second (RFC 4616, 2)."""
    parts = (answer or b"").split(b"\0")
    if len(parts) != 3 or parts[0] not in (b"", parts[1]):
        return _MALFORMED
    return parts[1].decode("utf-8", "replace"), parts[2]


def _decode(text: str) -> bytes | None:
    """Base64; `=` is an empty answer (RFC 4954, 4)."""
    try:
        return b"" if text == "=" else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
