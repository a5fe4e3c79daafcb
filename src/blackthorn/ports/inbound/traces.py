"""The port to the trace of mail from outside. All may raise DiskError and DamageError."""

from dataclasses import dataclass

from blackthorn.ports.store import Command, Query


@dataclass(frozen=True, slots=True)
class MailTrace:
    """What became of one mail; times are Unix milliseconds, `reply` its code and status."""

    id: str
    received_ms: int
    done_ms: int
    size: int
    copies: int
    tls: bool
    verdict: str
    place: str
    reply: str


class KeepTraces(Command[None]):
    """Keep traces, and delete at most as many and 100 more that are older than `before_ms`."""

    traces: tuple[MailTrace, ...]
    before_ms: int


class FindTrace(Query[MailTrace | None]):
    """The trace of an id."""

    id: str
