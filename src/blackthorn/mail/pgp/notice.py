"""The server's own mail, signed by its link key, so that nothing else can look like it.

    Blackthorn-Notice: 1; key=BASE64; signature=BASE64 CRLF
    the mail

The signature (Ed25519) covers a label, the recipient's address and the mail. A device accepts the
key by the fingerprint that it pinned at activation. A mail without it is never the server's,
whatever it says of itself: colleagues' mail is stored as they sealed it.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from blackthorn.crypto.signatures import ED25519, VerifyError
from blackthorn.crypto.tls_keys import key_fingerprint
from blackthorn.errors import SecurityError
from blackthorn.ids import Fingerprint

_LABEL: Final = b"blackthorn server notice 1\0"
_FIELD: Final = re.compile(
    rb"Blackthorn-Notice: 1; key=([A-Za-z0-9+/=]{44}); signature=([A-Za-z0-9+/=]{88})\r\n"
)


class NoticeError(SecurityError):
    """Not signed by the server for this reader."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose mail is read, and the fingerprint of the server's key."""

    address: str
    pin: Fingerprint


def sign_notice(
    content: bytes, address: str, public: bytes, sign: Callable[[bytes], bytes]
) -> bytes:
    """The mail with its signature before it. `public`: the raw key of `sign`."""
    key = base64.b64encode(public).decode()
    signature = base64.b64encode(sign(_signed(content, address))).decode()
    return f"Blackthorn-Notice: 1; key={key}; signature={signature}\r\n".encode() + content


def verified_notice(content: bytes, reader: Reader) -> bytes:
    """The mail that the server signed for this reader. Raises NoticeError."""
    refusal = NoticeError("the mail is not signed by the server")
    found = _FIELD.match(content)
    if found is None:
        raise refusal
    try:
        public, signature = (base64.b64decode(found[at], validate=True) for at in (1, 2))
        mail = content[found.end() :]
        if key_fingerprint(public) != reader.pin:
            raise refusal
        ED25519.verify(public, signature, _signed(mail, reader.address))
    except (binascii.Error, VerifyError):
        raise refusal from None
    return mail


def _signed(content: bytes, address: str) -> bytes:
    """Line ends count alike, since sealing makes them CRLF."""
    to = address.encode()
    return _LABEL + len(to).to_bytes(2, "big") + to + content.replace(b"\r\n", b"\n")
