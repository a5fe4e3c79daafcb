"""The randomness port. Pure engines take it as `Callable[[int], bytes]`."""

from typing import Protocol


class Randomness(Protocol):
    """A source of bytes fit for keys: the system's in service, a seeded one in scenarios."""

    def __call__(self, size: int, /) -> bytes:
        """`size` random bytes."""
