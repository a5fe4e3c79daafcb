"""Replay of the enterprise's whole public log over one link."""

from collections.abc import Callable
from typing import Final

from blackthorn.device.transparency.replay import ReplayResult, replayed
from blackthorn.errors import UnavailableError
from blackthorn.programs.device.program import DeviceProgram, server_timeout

REPLAY_SECONDS: Final = 600.0
"""Time for a whole replay: a year of 20,000 users takes about a minute."""

LATE: Final = "the server did not send the whole log in time"


async def replay(program: DeviceProgram, progress: Callable[[int, int], None]) -> ReplayResult:
    """Replay from the last end; `progress` gets done and all. Raises UnavailableError."""
    replayer = program.device.replayer
    replayer.wanted = True
    timeout = server_timeout(REPLAY_SECONDS, LATE)
    async with timeout, program.link(receive=False) as connection:
        while replayer.busy:
            await program.step(connection)
            progress(*replayer.progress)
    with program.opened.vault.transaction() as records:
        done = replayed(records)
    if replayer.busy or done is None:
        raise UnavailableError(f"{LATE}; try again")
    return done
