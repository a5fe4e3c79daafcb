"""Opens a stored mail once, and judges who signed it.

Opening and judging run in threads, without a transaction: a mail can take half a minute, and the
link goes on meanwhile, as do other processes of this device.
"""

import asyncio

from blackthorn.device.mail import keys
from blackthorn.device.mail.signatures import Signature, VerifiedMail, certificates, judge
from blackthorn.mail.pgp.notice import Reader
from blackthorn.mail.pgp.open import OpenedMail
from blackthorn.programs.device.opening.opener import open_any
from blackthorn.programs.device.program import DeviceProgram


async def open_stored(program: DeviceProgram, sealed: bytes) -> VerifiedMail:
    """Raises SealBrokenError, InputError, UnavailableError: the opening process could not run."""
    own, server = program.opened.keys.address, program.opened.server
    with program.opened.vault.transaction() as records:
        secrets = keys.secrets(records)
    mail = await asyncio.to_thread(open_any, sealed, secrets, Reader(own, server.pin))
    return VerifiedMail(mail, await signature_of(program, sealed, mail))


async def signature_of(program: DeviceProgram, sealed: bytes, mail: OpenedMail) -> Signature:
    """Who has signed an opened mail, as far as is known now. Raises SealBrokenError."""
    if not mail.by_sender:
        return Signature.NONE
    with program.opened.vault.transaction() as records:
        secrets = keys.secrets(records)
        found = certificates(records, mail, program.opened.keys.address)
    return await asyncio.to_thread(judge, sealed, secrets, found)
