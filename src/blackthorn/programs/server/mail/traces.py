"""Writes the traces of mail from outside in groups."""

from blackthorn.errors import BlackthornError
from blackthorn.ports.clock import Clock
from blackthorn.ports.store import Writer
from blackthorn.programs.periodic import Supervisor
from blackthorn.server.counters import Counters
from blackthorn.server.mail.traces import Traces

TRACE_SECONDS = 2
"""Period in which they are written."""


def keep_traces(tasks: Supervisor, writer: Writer, counters: Counters, clock: Clock) -> Traces:
    """Traces that are written while the tasks run."""
    traces = Traces(clock)

    def stored(result: BlackthornError | None) -> None:
        counters.storage_failures += isinstance(result, BlackthornError)

    def keep() -> None:
        command = traces.take()
        if command is not None:
            writer.submit(command, stored)

    tasks.every(TRACE_SECONDS, "traces", keep)
    return traces
