"""Mail out of the server of the plaintext audit: queued, returned, and of a mail program.

The other end is a mail server on loopback that puts every mail off, or knows nobody. A queue on
disk, notices of delivery and submission by a mail program are searched for what they carried.
"""

import secrets
import smtplib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final, Self

from aiosmtpd.controller import Controller

from blackthorn.crypto.openpgp import compatible
from blackthorn.demo.deployment import (
    COMMAND_SECONDS,
    Deployment,
    Person,
    StepFailedError,
    free_ports,
)
from blackthorn.demo.network import HOST, NoNames
from blackthorn.storage.files.certificates import CertificateFiles

LATE: Final = "late@elsewhere.example"
"""Whose server puts mail off: it waits in the queue."""

OK: Final = 250
NOBODY: Final = 550
"""The codes by which a mail is taken, and by which its recipient is unknown (RFC 5321, 4.2.3)."""

UNSEALED: Final = 523
"""The code by which unsealed mail between users is refused (RFC 5248: encryption needed)."""

GONE: Final = "gone@elsewhere.example"
"""Whom no server knows: their sender is told."""


class Elsewhere:
    """The smarthost of the server: it takes no mail."""

    def __init__(self, port: int) -> None:
        self._controller: Any = Controller(self, hostname=HOST, port=port)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's name)
        self, _server: object, _session: object, _envelope: object, address: str, _options: object
    ) -> str:
        if address == LATE:
            return "451 4.2.0 come again"
        return f"{NOBODY} 5.1.1 there is nobody of that name"


@contextmanager
def outward_settings() -> Iterator[dict[str, str]]:
    """Settings of a server that sends by such a smarthost, and takes mail of mail programs."""
    smarthost, submission, submission_tls = free_ports(3)
    with NoNames() as names, Elsewhere(smarthost):
        yield {
            "BLACKTHORN_OUTBOUND_SMARTHOST": f"{HOST}:{smarthost}",
            "BLACKTHORN_DNS_SERVERS": names.address,
            "BLACKTHORN_SUBMISSION_HOST": HOST,
            "BLACKTHORN_SUBMISSION_PORT": str(submission),
            "BLACKTHORN_SUBMISSION_TLS_PORT": str(submission_tls),
        }


def send_sealed(sender: Person, recipient: str, folder: Path, subject: str, body: str) -> None:
    """Give the sender's device a certificate of somebody outside, and write to them."""
    _, certificate = compatible.generate(recipient, int(time.time()), secrets.token_bytes)
    file = folder / "outsider.pgp"
    file.write_bytes(certificate)
    sender.run("mail", "keys", "add", recipient, str(file), "--yes")
    file.unlink()
    sender.run("mail", "send", recipient, "--subject", subject, standard_input=body)


class MailProgram:
    """A user's mail program, which seals nothing."""

    def __init__(self, deployment: Deployment, user: Person) -> None:
        self._deployment = deployment
        self._user = user
        self._password: str = user.run_json("app-password", "add", "program")["password"]

    def send(self, recipient: str, subject: str, body: str) -> int:
        """The code by which the server refuses the mail; OK: it took it. Raises StepFailedError."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._user.address, recipient, subject
        message.set_content(body)
        port = int(self._deployment.settings["BLACKTHORN_SUBMISSION_PORT"])
        try:
            with smtplib.SMTP(HOST, port, timeout=COMMAND_SECONDS) as smtp:
                smtp.starttls(context=_accepting(self._deployment.directory))
                smtp.login(self._user.address, self._password)
                smtp.sendmail(self._user.address, [recipient], bytes(message))
        except smtplib.SMTPRecipientsRefused as refused:
            return min(code for code, _ in refused.recipients.values())
        except smtplib.SMTPResponseException as refused:
            return refused.smtp_code
        except OSError as error:
            raise StepFailedError(f"the mail program could not send: {error}") from None
        return OK


def _accepting(server: Path) -> ssl.SSLContext:
    """As a mail program whose person has accepted the server's own certificate."""
    context = ssl.create_default_context(cafile=str(CertificateFiles(server).self_signed))
    context.check_hostname = False  # the program was told 127.0.0.1
    return context
