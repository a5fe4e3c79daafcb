"""Decode values that a device stores as MessagePack."""

from typing import TypeVar

import msgspec

from blackthorn.errors import DamageError

Value = TypeVar("Value")


def decode(decoder: "msgspec.msgpack.Decoder[Value]", data: bytes, damage: str) -> Value:
    """The decoded value. Raises DamageError with the text `damage`."""
    try:
        return decoder.decode(data)
    except msgspec.DecodeError as error:
        raise DamageError(f"{damage}: {error}") from None
