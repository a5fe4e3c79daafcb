"""One life of the queue in a process of its own, which kills itself at a step.

`python -m tests.support.outbound_process FOLDER STEP`: submits ten mails, those that were not
accepted before, and delivers to `hop`, a file to which each mail that the next server has taken is
written. Prints the count of steps when it is not killed. A step is a change of the database, or
one of the sides of a hand-over.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blackthorn.ports.outbound.carrier import Reply
from blackthorn.programs.server.outbound import limits
from blackthorn.server.outbound.submission import Submission
from tests.support.outbound_world import OK, FakeCarrier, sealed, world
from tests.support.smtp_harness import ALICE, BOB, run

MAILS = 10


def write(path: Path, line: str) -> None:
    """Append a line durably, as another machine's disk would keep it."""
    with path.open("a") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


class Steps:
    def __init__(self, last: int) -> None:
        self.taken, self.last = 0, last

    def __call__(self) -> None:
        self.taken += 1
        if self.taken == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


class Hop(FakeCarrier):
    """The next server: what it takes, it keeps."""

    def __init__(self, path: Path, step: Steps) -> None:
        super().__init__()
        self.path, self.step = path, step

    async def connect(self, domain: str) -> "Hop":
        self.step()
        return self

    async def send(
        self, sender: str, recipients: Sequence[str], content: bytes, *, whole: bool = False
    ) -> list[Reply]:
        self.step()
        for recipient in recipients:
            write(self.path, recipient)
        self.step()
        return [OK] * len(recipients)


def live(folder: Path, last: int) -> None:
    limits.IDLE_SECONDS = 0.05
    limits.MAX_WORKERS_PER_DOMAIN = 1  # so that one mail of a domain at most is under way
    step = Steps(last)
    accepted, hop = folder / "accepted", folder / "hop"

    async def play() -> None:
        async with world(folder, Hop(hop, step)) as at:
            submit = at.site.writer.submit

            def counted(command: Any, done: Any) -> None:
                step()

                def told(result: Any) -> None:
                    step()
                    done(result)

                submit(command, told)

            at.site.writer.submit = counted  # type: ignore[method-assign]
            await at.queue_count()
            user = at.site.enterprise.users[ALICE]
            known = accepted.read_text().split() if accepted.exists() else []
            for number in range(MAILS):
                if str(number) in known:
                    continue
                to = BOB if number % 5 == 0 else f"eve{number}@far{number % 2}.example"
                token = number.to_bytes(16, "big")
                content = sealed(at.site, seed=number)
                await at.submit_as(Submission(user, ALICE, (to,), content, token))
                write(accepted, str(number))
            await at.delivering.scan()
            await at.empty()
            write(folder / "mailbox", str(len(at.site.stored(BOB))))

    run(play)
    print(step.taken)


if __name__ == "__main__":
    live(Path(sys.argv[1]), int(sys.argv[2]))
