"""`Secret`: bytes that do not print. They leave only through `expose()`."""

import hmac
from typing import Final, NoReturn, final


@final
class Secret:
    """Secret bytes that `repr`, `str` and format do not show.

    Equality is constant-time; no hash, pickle or iteration. Call `expose()` only where needed.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value: Final = value

    def expose(self) -> bytes:
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Secret(<{len(self._value)} bytes>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled: expose() it where it is sealed")
