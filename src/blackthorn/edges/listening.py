"""Listeners that end by themselves, as event loops close one for good at some errors, silently."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from blackthorn.errors import UnavailableError

LISTENING_SECONDS: Final = 5
"""How often it is checked whether all listeners listen."""


def is_listening(server: asyncio.Server) -> bool:
    """Whether all sockets of `server` are open."""
    sockets = server.sockets
    return bool(sockets) and all(each is not None and each.fileno() >= 0 for each in sockets)


def check_listening(
    listeners: Mapping[str, Callable[[], bool]], end: Callable[[UnavailableError], None]
) -> None:
    """End the program when a listener has ended, so that its service manager starts it anew."""
    for what, listening in listeners.items():
        if not listening():
            end(UnavailableError(f"{what} has stopped listening: start the program again"))
