"""The fetch of one identity chain in parts."""

from dataclasses import dataclass, field

import msgspec

from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.directory.verify import Present
from blackthorn.link import frames as f
from blackthorn.wire import limits


@dataclass(slots=True)
class ChainFetch:
    """`head` and `after`: head and number of the statements known before."""

    found: Present
    answer: f.Answer
    head: bytes
    after: int
    statements: list[bytes] = field(default_factory=list)

    @property
    def have(self) -> int:
        """The number of statements received so far."""
        return self.after + len(self.statements)

    def add(self, part: f.ChainPart) -> bool:
        """Add the next part; whether to request another one."""
        self.statements += part.statements
        return part.more and bool(part.statements) and self.have < limits.MAX_CHAIN_STATEMENTS

    def whole(self, last: f.ChainPart) -> f.ChainPart:
        """The last part with the statements of all parts."""
        return msgspec.structs.replace(last, statements=self.statements, more=False)


def needed(unit: UnitOfWork, found: Present, answer: f.Answer) -> ChainFetch | None:
    """The fetch of a new or longer chain; None when the chain is known."""
    known = unit.records.directory.chain(answer.address)
    if known is None or not known.present:
        return ChainFetch(found, answer, b"", 0)
    if known.head == found.value.head:
        return None
    return ChainFetch(found, answer, known.head, known.seq)
