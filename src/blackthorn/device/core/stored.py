"""Values that a device stores as MessagePack: reading one, or saying that it is damaged."""

from typing import TypeVar

import msgspec

from blackthorn.errors import DamageError

Value = TypeVar("Value")


def decode(decoder: "msgspec.msgpack.Decoder[Value]", data: bytes, damage: str) -> Value:
    """The value. Raises DamageError, which says `damage`, when no version has stored it so."""
    try:
        return decoder.decode(data)
    except msgspec.DecodeError as error:
        raise DamageError(f"{damage}: {error}") from None
