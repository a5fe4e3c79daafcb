"""Options of the commands that write mail, and what a person gives by them."""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from blackthorn.cli import terminal
from blackthorn.device.letters.letters import Written, check_room
from blackthorn.errors import UserError
from blackthorn.mail.compose.answer import Thread
from blackthorn.mail.compose.entity import check_size, compose
from blackthorn.mail.compose.letter import Mailbox, check_recipients, check_subject, mail_address
from blackthorn.programs.device.home import random
from blackthorn.programs.device.letters import files
from blackthorn.programs.device.program import DeviceProgram

CcOption = Annotated[
    list[str] | None, Option("--cc", metavar="ADDRESS", help="A further recipient; many times.")
]
BccOption = Annotated[
    list[str] | None,
    Option("--bcc", metavar="ADDRESS", help="A recipient whom the others do not see; many times."),
]
SubjectOption = Annotated[str, Option("--subject", "-s", help="The subject, which is sealed too.")]
AttachOption = Annotated[
    list[Path] | None,
    Option("--attach", "-a", metavar="FILE", help="A file to attach; many times."),
]
FileOption = Annotated[
    Path | None,
    Option(
        "--file",
        "-f",
        metavar="FILE",
        help="The text, instead of standard input or of $EDITOR at a terminal.",
    ),
]
PlainOption = Annotated[
    bool, Option("--plain", help="Keep the lines as they are: poems, tables, program text.")
]
ToArgument = Annotated[list[str], Argument(metavar="ADDRESS...", help="To whom.")]
DraftArgument = Annotated[
    int, Argument(metavar="DRAFT", min=1, max=2**63 - 1, help="Its number in `mail draft list`.")
]


@dataclass(frozen=True, slots=True)
class Given:
    """What the options of a command give."""

    cc: Sequence[str]
    bcc: Sequence[str]
    attach: Sequence[Path]
    file: Path | None
    plain: bool

    @property
    def typed(self) -> bool:
        """Whether the text is nowhere but here once the person has written it."""
        return self.file is None and sys.stdin.isatty()

    def written(
        self,
        device: DeviceProgram,
        to: Sequence[Mailbox],
        thread: Thread,
        *,
        more_cc: Sequence[Mailbox] = (),
        quoted: str = "",
        original: bytes | None = None,
    ) -> Written:
        """The mail, whose text is read last, when all else is good. Raises UserError, DiskError."""
        cc, bcc = [*more_cc, *people(self.cc)], people(self.bcc)
        check_subject(thread.subject)
        if everybody := [person.address for person in (*to, *cc, *bcc)]:
            check_recipients(list(dict.fromkeys(everybody)))
        with device.opened.vault.transaction() as records:
            check_room(records)
        attached = files.attachments(self.attach)
        check_size(sum(len(file.data) for file in attached), len(original or b""))
        text = self._text(quoted)
        if not text.strip() and not attached and original is None:
            raise UserError("there is no text to send")
        entity = compose(text, attached, original, flowed=not self.plain, random=random)
        return Written(to, cc, bcc, thread, entity)

    def _text(self, quoted: str) -> str:
        below = f"\n\n{quoted}" if quoted else ""
        if self.file is not None:
            return files.text_of(self.file).rstrip("\n") + below
        if not sys.stdin.isatty():
            return files.read_text(sys.stdin.buffer).rstrip("\n") + below
        editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "")
        if editor:
            return files.edited(editor, below, _edit_again)
        terminal.note("The text, and at its end Ctrl-D on a line of its own:")
        return files.read_text(sys.stdin.buffer).rstrip("\n") + below


def _edit_again(problem: str) -> bool:
    return terminal.confirm(f"{problem}. Edit the same text again?", yes=False)


def people(addresses: Sequence[str]) -> list[Mailbox]:
    """Raises UserError for what is no address."""
    return [Mailbox(mail_address(address)) for address in addresses]
