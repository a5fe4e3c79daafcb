"""The randomness port; pure engines take a `Callable[[int], bytes]`."""

from typing import Protocol


class Randomness(Protocol):
    """Bytes fit for keys: the system's in service, a seeded source in scenarios."""

    def __call__(self, size: int, /) -> bytes: ...
