"""Open a stored mail with the user's key. Only a device imports this module.

The outer mail must be exactly what the server's sealing makes: one multipart/encrypted with
its two parts. Nothing outside the one sealed part is looked at or given out, and a mail that
holds other encrypted parts somewhere inside stays as it is (EFAIL: nothing is concatenated).
"""

import re
from dataclasses import dataclass, field

from blackthorn.crypto.openpgp_open import UnsealError, unseal
from blackthorn.crypto.secret import Secret
from blackthorn.mail import limits
from blackthorn.mail.errors import MailRefusedError, SealBrokenError
from blackthorn.mail.mime.structure import Part, parse
from blackthorn.mail.pgp.seal import FOLLOWS, MARK


@dataclass(frozen=True, slots=True)
class OpenedMail:
    """An opened mail. `content` is the original, byte for byte; `trace` the server's fields.

    `marked` says that the sealing server owned up to having received it in the clear.
    """

    content: bytes = field(repr=False)
    trace: bytes = field(repr=False)
    marked: bool

    @property
    def envelope_sender(self) -> str:
        """From whom the peer said it was (RFC 5321, 3.3), as the sealing server noted; or empty."""
        found = re.search(rb"^Return-Path: <([^<>\r\n]*)>\r$", self.trace, re.MULTILINE)
        return found[1].decode("utf-8", "replace") if found else ""

    @property
    def readable_on_the_way(self) -> bool:
        """Whether others than its sender and this user may have read it: always, as yet.

        The mark says yes. A missing mark is no proof of the contrary, since a server that
        wants to hide it leaves it off; only a verified signature of the sender would be one.
        """
        return True


def open_mail(sealed: bytes, key: Secret) -> OpenedMail:
    """The mail in `sealed`, as `mail.pgp.seal.seal_mail` made it for the owner of `key`.

    Raises SealBrokenError when it was altered, is not such a mail, or is for another key.
    """
    content = _open_layer(sealed, key)
    prefix = MARK + b": yes;"
    end = content.find(b"\r\n" + FOLLOWS, 0, limits.MAX_TRACE_BLOCK_BYTES)
    if not content.startswith(prefix) or end < 0:
        return OpenedMail(content, b"", False)
    end += 2 + len(FOLLOWS)
    return OpenedMail(content[end:], content[:end], True)


def _open_layer(sealed: bytes, key: Secret) -> bytes:
    """The content of the one sealed part of a mail of exactly the shape of RFC 3156, 4."""
    try:
        root = parse(sealed)
    except MailRefusedError:
        raise SealBrokenError("the stored mail is damaged") from None
    kinds = [part.type for part in root.children]
    if root.type != b"multipart/encrypted" or kinds != [
        b"application/pgp-encrypted",
        b"application/octet-stream",
    ]:
        raise SealBrokenError("the stored mail is not sealed as this service seals")
    control, message = root.children
    if _body(sealed, control) != b"Version: 1":
        raise SealBrokenError("the stored mail is sealed in a way that is not known")
    try:
        return unseal(_body(sealed, message), key)
    except UnsealError as error:
        raise SealBrokenError(str(error)) from None


def _body(content: bytes, part: Part) -> bytes:
    return content[part.start : part.end].strip()
