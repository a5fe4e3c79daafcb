"""Opens a stored mail with the user's key. Only devices import this module.

The outer mail must be exactly a multipart/encrypted with two parts, by the server or by a sender.
Nothing outside the sealed part is returned but the header of a sender who has not sealed one
(`protected`), and encrypted parts inside stay as they are (EFAIL).
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from blackthorn.crypto.openpgp_open import UnsealError, signer_of, unseal
from blackthorn.crypto.openpgp_seal import Certificate
from blackthorn.crypto.secret import Secret
from blackthorn.mail import limits
from blackthorn.mail.errors import MailRefusedError, SealBrokenError
from blackthorn.mail.mime.structure import Part, parse
from blackthorn.mail.pgp.notice import NoticeError, Reader, verified_notice
from blackthorn.mail.pgp.protected import message_of
from blackthorn.mail.pgp.seal import BY_SENDER, FOLLOWS, MARK, PLACE, RECEIVED, WRITTEN


@dataclass(frozen=True, slots=True)
class OpenedMail:
    """`content` is the original mail, byte for byte; `trace` the server's fields.

    `marked` says that the sealing server received it in the clear, `own` that it wrote it itself
    and has signed it. `by_sender`: it came sealed, and no server's fields are in it.
    """

    content: bytes = field(repr=False)
    trace: bytes = field(repr=False)
    marked: bool
    own: bool = False
    by_sender: bool = False

    @property
    def envelope_sender(self) -> str:
        """The envelope sender (RFC 5321, 3.3) that the sealing server noted, or empty."""
        found = re.search(rb"^Return-Path: <([^<>\r\n]*)>\r$", self.trace, re.MULTILINE)
        return found[1].decode("utf-8", "replace") if found else ""

    @property
    def junk(self) -> bool:
        """Whether the sealing server's verdict files it as junk (`mail.authentication`)."""
        return b"\r\n" + PLACE + b": junk\r\n" in self.trace

    @property
    def readable_on_the_way(self) -> bool:
        """Whether others may have read it in transit: unless the server has written and signed it.

        A server can leave the mark off; only a sender's verified signature would prove more.
        """
        return not self.own


def open_mail(sealed: bytes, key: Secret, reader: Reader | None = None) -> OpenedMail:
    """The mail that `mail.pgp.seal.seal_mail` sealed for the owner of `key`.

    Without `reader` no mail counts as the server's own. Raises SealBrokenError if it was altered,
    is malformed, or is for another key.
    """
    return opened(sealed, _unseal(_layer(sealed)[1], key), reader)


def opened(sealed: bytes, content: bytes, reader: Reader | None = None) -> OpenedMail:
    """The mail of which `content` was unsealed, as `open_mail`. Raises SealBrokenError."""
    root, _ = _layer(sealed)
    received, written = (MARK + b": " + how + b" by " for how in (RECEIVED, WRITTEN))
    end = content.find(b"\r\n" + FOLLOWS, 0, limits.MAX_TRACE_BLOCK_BYTES)
    by_sender = sealed.startswith(BY_SENDER)
    if by_sender or not content.startswith((received, written)) or end < 0:
        return OpenedMail(message_of(root.fields, content), b"", False, by_sender=True)
    end += 2 + len(FOLLOWS)
    mail, own = content[end:], False
    if content.startswith(written) and reader is not None:
        with suppress(NoticeError):
            mail, own = verified_notice(mail, reader), True
    return OpenedMail(mail, content[:end], not own, own)


def signer(sealed: bytes, key: Secret, certificates: Sequence[Certificate]) -> str:
    """The fingerprint of the certificate that signed inside of a mail that `open_mail` opens.

    Raises UnsignedError, SignatureError, SealBrokenError.
    """
    try:
        return signer_of(_layer(sealed)[1], key, certificates)
    except UnsealError as error:
        raise SealBrokenError(str(error)) from None


def armored_by_sender(sealed: bytes) -> bytes | None:
    """The armored message of a stored mail that its sender sealed; None for the server's.

    Raises SealBrokenError.
    """
    return _layer(sealed)[1] if sealed.startswith(BY_SENDER) else None


def _layer(sealed: bytes) -> tuple[Part, bytes]:
    """A mail of the shape of RFC 3156, 4, and its armored message."""
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
    return root, _body(sealed, message)


def _unseal(armored: bytes, key: Secret) -> bytes:
    try:
        return unseal(armored, key)
    except UnsealError as error:
        raise SealBrokenError(str(error)) from None


def _body(content: bytes, part: Part) -> bytes:
    return content[part.start : part.end].strip()
