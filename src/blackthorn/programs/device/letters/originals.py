"""The mail that is answered, forwarded, printed raw or deleted: fetched and opened."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from blackthorn import errors
from blackthorn.device.mail import keys
from blackthorn.device.mail.signatures import VerifiedMail, open_verified
from blackthorn.mail.compose.answer import quotation
from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.mime.fields import Field
from blackthorn.mail.mime.scan import normalise
from blackthorn.mail.mime.structure import parse
from blackthorn.mail.render.render import render
from blackthorn.programs.device.mail import NOT_KEPT, MailFetcher, reader_of
from blackthorn.programs.device.opening.opener import check_unpacked, opener
from blackthorn.programs.device.program import FINISH_SECONDS, DeviceProgram, server_timeout


@dataclass(frozen=True, slots=True)
class Original:
    """An opened mail: its bytes, its header fields, and its text.

    Subject and text are those that its sender sealed, if some are.
    """

    content: bytes = field(repr=False)
    fields: list[Field] = field(repr=False)
    text: str = field(repr=False)

    @property
    def quotation(self) -> str:
        """Its text, quoted."""
        return quotation(self.fields, self.text)


async def fetch(program: DeviceProgram, uid: int) -> VerifiedMail:
    """Fetch and open a mail. Raises UserError, UnavailableError, SecurityError: altered."""
    try:
        async with server_timeout(FINISH_SECONDS), program.link(receive=False) as connection:
            fetcher = MailFetcher(program, connection)
            sealed = await fetcher.sealed(await fetcher.find(uid))
    except errors.UnavailableError as error:
        raise errors.UnavailableError(f"{str(error).rstrip('.')}; {NOT_KEPT}") from None
    with program.opened.vault.transaction() as records:
        secrets = keys.secrets(records)
    check_unpacked(secrets, sealed)
    with program.opened.vault.transaction() as records:
        return open_verified(records, sealed, reader_of(program))


async def original(program: DeviceProgram, uid: int) -> Original:
    """A mail to answer. Raises as `fetch`, and InputError for one that cannot be parsed."""
    content = (await fetch(program, uid)).mail.content
    try:
        whole = normalise(content)
        fields = parse(whole).fields
    except MailRefusedError as error:
        text = f"mail {uid} cannot be answered: {error}; `blackthorn mail raw {uid}` has its bytes"
        raise errors.InputError(text) from None
    with program.opened.vault.transaction() as records:
        shown = render(whole, opener(keys.secrets(records)))
    if shown.sealed and not shown.unopened:
        others = [each for each in fields if each[0] != b"subject"]
        fields = [*others, (b"subject", shown.subject.encode())]
    return Original(whole, fields, shown.text)


async def delete(program: DeviceProgram, uids: Sequence[int]) -> list[int]:
    """Delete mails on the server and here; those that were there. Raises UnavailableError."""
    found: list[int] = []
    async with server_timeout(FINISH_SECONDS) as wait_on, program.link(receive=False) as connection:
        fetcher = MailFetcher(program, connection)
        for uid in uids:
            found += [uid] if await fetcher.delete(uid) else []
            with program.opened.vault.transaction() as records:
                records.mail.remove(uid)
            wait_on()
    return found
