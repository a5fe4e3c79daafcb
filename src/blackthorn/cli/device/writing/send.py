"""Commands `mail send`, `mail reply`, `mail forward` and `mail sent`."""

from contextlib import suppress
from functools import partial
from typing import Annotated, Any

from typer import Argument, Option, Typer

from blackthorn.cli import terminal, times
from blackthorn.cli.device.writing import options as given
from blackthorn.cli.options import DeviceOptions, JsonOption, on_device, program
from blackthorn.device.letters import letters
from blackthorn.device.letters.letters import Head, Written
from blackthorn.device.operations import send_mail
from blackthorn.errors import BlackthornError, UserError
from blackthorn.mail.compose.answer import Thread
from blackthorn.ports.device_letters import DRAFT, WAITING, LetterRecord
from blackthorn.programs.device.home import wall_ms
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.programs.event_loop import run
from blackthorn.wire.units import MIB

UidArgument = Annotated[
    int, Argument(metavar="UID", min=1, max=2**63 - 1, help="Its number in `mail list`.")
]

_SHOWN_BYTES = MIB
"""Bytes of a sealed mail from which on its progress is shown."""


def register(mail: Typer) -> None:
    """Add the commands, in the order of use."""
    mail.command("send")(send)
    mail.command("reply")(reply)
    mail.command("forward")(forward)
    mail.command("sent")(sent)


@on_device
def send(
    to: given.ToArgument,
    at: DeviceOptions,
    subject: given.SubjectOption = "",
    cc: given.CcOption = None,
    bcc: given.BccOption = None,
    attach: given.AttachOption = None,
    file: given.FileOption = None,
    plain: given.PlainOption = False,
    json: JsonOption = False,
) -> None:
    """Send a mail, sealed to each recipient and signed; a copy goes to your own mailbox.

    To colleagues by the keys that the ledger shows, to others by the key that their domain
    publishes. Nothing is sent unsealed: somebody without a key is named, and the mail is kept as a
    draft. What cannot be sent now is sent later, once. The text is read from standard input.
    --json prints as `blackthorn send` does.
    """
    people, device = given.people(to), program(at)
    options = given.Given(cc or (), bcc or (), attach or (), file, plain)
    written = options.written(device, people, Thread(subject))
    _send_written(device, written, json, typed=options.typed)


@on_device
def reply(
    uid: UidArgument,
    at: DeviceOptions,
    everybody: Annotated[
        bool, Option("--all", help="To all who got the mail, not only to its author.")
    ] = False,
    cc: given.CcOption = None,
    bcc: given.BccOption = None,
    attach: given.AttachOption = None,
    file: given.FileOption = None,
    plain: given.PlainOption = False,
    json: JsonOption = False,
) -> None:
    """Answer a mail: its text is quoted below yours, and the subject goes on.

    Read `mail read` first: who has written a mail is known only if its signature holds.
    """
    from blackthorn.mail.compose.answer import reply_recipients, reply_thread
    from blackthorn.programs.device.letters.originals import original

    device = program(at)
    found = run(original(device, uid))
    found.check_author()
    own = device.opened.keys.address
    to, more = reply_recipients(found.fields, own, everybody=everybody)
    options = given.Given(cc or (), bcc or (), attach or (), file, plain)
    thread = reply_thread(found.fields)
    written = options.written(device, to, thread, more_cc=more, quoted=found.quotation)
    _send_written(device, written, json, typed=options.typed)


@on_device
def forward(
    uid: UidArgument,
    to: given.ToArgument,
    at: DeviceOptions,
    cc: given.CcOption = None,
    bcc: given.BccOption = None,
    attach: given.AttachOption = None,
    file: given.FileOption = None,
    plain: given.PlainOption = False,
    json: JsonOption = False,
) -> None:
    """Send a mail on, whole, as an attachment of yours: unchanged, or as it stood in its seal."""
    from blackthorn.mail.compose.answer import forward_thread
    from blackthorn.programs.device.letters.originals import original

    device = program(at)
    people = given.people(to)
    found = run(original(device, uid))
    found.check_readable(uid)
    options = given.Given(cc or (), bcc or (), attach or (), file, plain)
    thread = forward_thread(found.fields)
    written = options.written(device, people, thread, original=found.content)
    _send_written(device, written, json, typed=options.typed)


def _send_written(device: DeviceProgram, written: Written, json: bool, *, typed: bool) -> None:
    """Enqueue a mail, send it, and tell what became of it. A typed one is kept if it is refused."""
    try:
        number = device.enqueue(partial(send_mail.enqueue, written=written))
    except BlackthornError as error:
        draft = _keep(device, written) if typed else 0
        if not draft:
            raise
        raise UserError(kept_as(str(error), draft)) from None
    people = (*written.to, *written.cc, *written.bcc)
    report_sending(device, number, ", ".join(person.address for person in people), json)


def _keep(device: DeviceProgram, written: Written) -> int:
    """The number of a mail as a draft; 0 when it cannot be kept either."""
    with suppress(BlackthornError), device.device.unit(wall_ms()) as unit:
        return letters.save(unit, written, DRAFT)
    return 0


def kept_as(problem: str, draft: int) -> str:
    return (
        f"{problem.rstrip('.')}. The mail is kept as draft {draft}: see `blackthorn mail draft "
        f"show {draft}`, and send it by `blackthorn mail draft send {draft}`"
    )


def report_sending(device: DeviceProgram, number: int, names: str, json: bool) -> None:
    """Send what is enqueued, and tell what became of it. Raises UserError: a draft again."""
    from blackthorn.cli.device.outcomes import report
    from blackthorn.cli.progress import ProgressBar
    from blackthorn.device.operations.table import operation_of

    with device.opened.vault.transaction() as records:
        row = records.outbox.get(number)
        operation = operation_of(row) if row is not None else None
    with ProgressBar() as bar:

        def show(taken: int, total: int) -> None:
            if total >= _SHOWN_BYTES:
                bar.show("KiB sent", taken // 1024, total // 1024)

        try:
            report(device, {number: (names, "sent")}, json, show)
        except UserError as error:
            letter = operation.letter if isinstance(operation, send_mail.SendMail) else 0
            with device.opened.vault.transaction() as records:
                record = records.letters.get(letter)
            if record is None or record.standing != DRAFT:
                raise
            raise UserError(kept_as(str(error), letter)) from None


@on_device
def sent(at: DeviceOptions, json: JsonOption = False) -> None:
    """List the mail sent from this device and what waits, oldest first, without connecting.

    A mail that fails later comes back as a report in `mail list`. The mails themselves are in your
    mailbox, for all of your devices.
    """
    device = program(at)
    with device.opened.vault.transaction() as records:
        found = [record for record in records.letters.all() if record.standing != DRAFT]
        problems = _problems(records.outbox.all())
    rows = [(record, letters.head_of(record)) for record in found]
    if json:
        terminal.print_json([_entry(record, head, problems) for record, head in rows])
    elif not rows:
        terminal.say("No mail was sent from this device.")
    for record, head in () if json else rows:
        when = times.local_time(head.date * 1000)
        state = "waits" if record.standing == WAITING else "sent"
        terminal.say(f"{when}  {state:5}  {', '.join(head.recipients)}  {head.subject}")
        if problem := problems.get(record.number):
            terminal.say(f"    {problem}")
        for address, reason in head.refused.items():
            terminal.say(f"    not to {address}: {reason}")


def _problems(rows: list[Any]) -> dict[int, str]:
    """Why mails wait, by their numbers."""
    from blackthorn.device.operations.table import operation_of

    operations = ((row, operation_of(row)) for row in rows)
    return {
        operation.letter: row.problem
        for row, operation in operations
        if isinstance(operation, send_mail.SendMail) and row.problem
    }


def _entry(record: LetterRecord, head: Head, problems: dict[int, str]) -> dict[str, Any]:
    return {
        "number": record.number,
        "state": record.standing,
        "to": [address for address, _ in head.to],
        "cc": [address for address, _ in head.cc],
        "bcc": [address for address, _ in head.bcc],
        "subject": head.subject,
        "date": times.rfc3339(head.date * 1000),
        "message_id": head.message_id,
        "queue_ids": [f"{copy.mail:016x}" for copy in head.copies if copy.mail],
        "refused": head.refused,
        "reason": problems.get(record.number, ""),
    }
