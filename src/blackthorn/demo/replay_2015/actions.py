"""Users' responses between announcement and stop: read, forward mail, export, move.

Seeded randomness chooses the users; every move is checked by opening the moved data.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from blackthorn.crypto.secret import Secret
from blackthorn.demo.replay_2015 import crowd as crowds
from blackthorn.demo.replay_2015.exit import MARKET, Exit
from blackthorn.demo.replay_2015.export import ExportTask, make_export
from blackthorn.demo.replay_2015.people import open_parcels
from blackthorn.demo.replay_2015.world import World
from blackthorn.device.export.manifest import encode_chain
from blackthorn.errors import BlackthornError, SecurityError
from blackthorn.identity import chain, keys
from blackthorn.ids import Address
from blackthorn.mail.pgp.open import open_mail
from blackthorn.ports.governance.exits import NoteAct
from blackthorn.ports.markets import MoveUser
from blackthorn.programs.device.export.check import require_whole, verify_export
from blackthorn.programs.device.export.folder import FolderSink

READ: Final = 0.80
EXPORTED: Final = 0.40
MOVED: Final = 0.10
FORWARDED: Final = 0.15
_ROWS: Final = 64
_BATCH: Final = 200
_ELSEWHERE: Final = "mailbox.example"
Advance = Callable[[int], None]


@dataclass
class Responses:
    """`moved` are the addresses now in another market."""

    exit: Exit
    crowd: crowds.Population
    moved: list[str] = field(default_factory=list)
    exported_mails: int = 0
    exported_messages: int = 0

    @property
    def world(self) -> World:
        return self.exit.world

    def _some(self, among: Sequence[str], share: float) -> list[str]:
        count = max(1, round(len(among) * share))
        return sorted(self.world.chance.sample(list(among), min(count, len(among))))

    def _tell(self, people: Sequence[str], what: str, values: Sequence[str] | None = None) -> None:
        """Report an action as the users' devices do. Raises SecurityError when one is refused."""
        given = values or [""] * len(people)
        for group in crowds.in_batches(zip(people, given, strict=True), _BATCH):
            errors: list[BlackthornError | None] = []
            for name, value in group:
                self.world.notices.note(Address(name), what, value, errors.append)
            self.world.writer.commit()
            if errors != [None] * len(group):
                raise SecurityError(f"what people tell of {what} is not taken")

    def read(self) -> list[str]:
        """Some users open the notice, their newest mail; their addresses."""
        here = [name for name in self.crowd.people if name.startswith(MARKET.lower())]
        readers = self._some(here, READ)
        for name in readers[::50]:
            uid, _, sealed = self.world.sealed_mails(name)[-1]
            text = open_mail(sealed, Secret(self.crowd.people[name].openpgp)).content
            if b"Auto-Submitted: auto-generated" not in text:
                raise SecurityError(f"mail {uid} of {name} is not the notice")
        self._tell(readers, "read")
        return readers

    def forward(self, readers: Sequence[str]) -> None:
        chosen = self._some(readers, FORWARDED)
        values = [f"{name.partition('@')[0]}@{_ELSEWHERE}" for name in chosen]
        self._tell(chosen, "forward", values)

    def export(
        self, readers: Sequence[str], workers: crowds.Workers, folder: Path, advance: Advance
    ) -> None:
        """Some users export; the first export is also written to disk."""
        chosen = self._some(readers, EXPORTED)
        for group in crowds.in_batches(workers.map(make_export, self._tasks(chosen)), _BATCH):
            self.exported_mails += sum(each.counts.mails for each in group)
            self.exported_messages += sum(each.counts.messages for each in group)
            self._tell([each.address for each in group], "exported")
            advance(len(group))
        with FolderSink(folder) as sink:
            make_export(next(self._tasks(chosen[:1])), sink)
        require_whole(verify_export(folder))

    def _tasks(self, chosen: Sequence[str]) -> Iterator[ExportTask]:
        world = self.world
        for name in chosen:
            person = self.crowd.people[name]
            yield ExportTask(
                name,
                person.seeds,
                person.openpgp,
                self._chain(name),
                tuple(world.sealed_mails(name)),
                tuple(world.waiting_parcels(name)),
                person.group,
                world.clock.now_ms,
            )

    def _chain(self, name: str) -> bytes:
        config, now_ms = self.world.ledger.config, self.world.clock.now_ms
        terms = chain.Terms(keys.VerifyKeys(*config.enrolment), config.reset_delay_ms, now_ms, {})
        return encode_chain(name, self.world.statements(name), terms)

    def move(self, readers: Sequence[str], advance: Advance) -> None:
        """Some users move to another market; their chain, mail and messages must stay intact."""
        world = self.world
        self.moved = self._some(readers, MOVED)
        for number, name in enumerate(self.moved):
            target = crowds.MARKETS[number % len(crowds.MARKETS)]
            before = self._chain(name)
            step = MoveUser(Address(name), target, _ROWS)
            while world.write(step) != [True]:
                pass
            if self._chain(name) != before:
                raise SecurityError(f"the chain of {name} was changed by the move")
            self.check_opens(name)
            advance(1)
        for group in crowds.in_batches(self.moved, _BATCH):
            now_ms, numbers = world.clock.now_ms, [world.number(name) for name in group]
            world.write(*(NoteAct(each, self.exit.id, "moved", "", now_ms) for each in numbers))

    def check_opens(self, name: str) -> int:
        """Open all mail and messages of a person; how many. Raises SecurityError."""
        person = self.crowd.people[name]
        mails = self.world.sealed_mails(name)
        for _, _, sealed in mails:
            open_mail(sealed, Secret(person.openpgp))
        parcels = self.world.waiting_parcels(name) if person.group else []
        texts = open_parcels(person.group, parcels, self.world.clock.now_ms) if parcels else []
        if len(mails) < crowds.MAILS or (person.group and len(texts) < crowds.MESSAGES):
            raise SecurityError(f"{name} has lost mail or messages")
        return len(mails) + len(texts)
