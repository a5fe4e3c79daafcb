"""The mail that is answered, forwarded, printed raw or deleted: fetched and opened."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from blackthorn import errors
from blackthorn.device.mail import keys
from blackthorn.device.mail.signatures import VerifiedMail
from blackthorn.mail.compose.answer import author, quotation
from blackthorn.mail.errors import MailRefusedError, SealBrokenError
from blackthorn.mail.mime.fields import Field
from blackthorn.mail.mime.scan import normalise
from blackthorn.mail.mime.structure import parse
from blackthorn.mail.mime.transfer import decode_transfer
from blackthorn.mail.pgp.protected import message_of
from blackthorn.mail.render.parts import tolerant
from blackthorn.mail.render.render import render
from blackthorn.programs.device.mail import fetch_sealed, mail_link
from blackthorn.programs.device.opening.opener import opener
from blackthorn.programs.device.opening.stored import open_stored
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.wire.printable import printable


@dataclass(frozen=True, slots=True)
class Original:
    """An opened mail: its bytes, its header fields, and its text.

    Where its sender has sealed the whole mail, these are the mail in the seal: what stands around
    it decides neither who is answered nor what is quoted (EFAIL). Sealed parts of another mail stay
    sealed. `outside` is the author who is named around the seal.
    """

    content: bytes = field(repr=False)
    fields: list[Field] = field(repr=False)
    text: str = field(repr=False)
    sealed: bool
    """Whether a part of it stays sealed."""
    outside: str = ""

    @property
    def quotation(self) -> str:
        """Its text, quoted."""
        return quotation(self.fields, self.text)

    def check_author(self) -> None:
        """Raises UserError when the seal and the header around it name different authors."""
        inside = author(self.fields)
        if self.outside and inside.lower() != self.outside.lower():
            raise errors.UserError(
                f"inside the seal the author is {printable(inside) or 'nobody'}, outside it is "
                f"{printable(self.outside)}: ask them, and write by `blackthorn mail send`"
            )

    def check_readable(self, uid: int) -> None:
        """Raises UserError when others could not read it: a part is sealed to this user."""
        if self.sealed:
            raise errors.UserError(
                f"a part of mail {uid} is sealed to you, and nobody else could read it: save it by "
                f"`blackthorn mail raw {uid} --out FILE` and attach what they need"
            )


async def fetch(program: DeviceProgram, uid: int) -> VerifiedMail:
    """Fetch and open a mail. Raises UserError, UnavailableError, SecurityError: altered."""
    _, sealed = await fetch_sealed(program, uid)
    return await open_stored(program, sealed)


async def original(program: DeviceProgram, uid: int) -> Original:
    """A mail to answer. Raises as `fetch`, and InputError for one that cannot be parsed."""
    content = (await fetch(program, uid)).mail.content
    try:
        return _opened(program, content)
    except MailRefusedError as error:
        text = f"mail {uid} cannot be answered: {error}; `blackthorn mail raw {uid}` has its bytes"
        raise errors.InputError(text) from None


def _opened(program: DeviceProgram, content: bytes) -> Original:
    whole, outside = normalise(content), ""
    root = parse(whole)
    if root.type == b"multipart/encrypted" and len(root.children) > 1:
        message = root.children[1]
        armored = decode_transfer(whole[message.start : message.end], message.encoding).strip()
        with program.opened.vault.transaction() as records:
            secrets = keys.secrets(records)
        with suppress(SealBrokenError):
            opened = opener(secrets)(armored)
            whole, outside = tolerant(message_of(root.fields, opened)), author(root.fields)
            root = parse(whole)
    shown = render(whole)
    return Original(whole, root.fields, shown.text, shown.sealed, outside)


async def delete(program: DeviceProgram, uids: Sequence[int]) -> list[int]:
    """Delete mails on the server and here; those that were there. Raises UnavailableError."""
    found: list[int] = []
    async with mail_link(program) as fetcher:
        for uid in uids:
            found += [uid] if await fetcher.delete(uid) else []
            with program.opened.vault.transaction() as records:
                records.mail.remove(uid)
    return found
