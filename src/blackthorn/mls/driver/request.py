"""A request of the driver's protocol; every malformed field raises `RequestError`."""

import json
from collections.abc import Callable, Mapping
from typing import TypeVar

from blackthorn.errors import InputError

T = TypeVar("T")


class RequestError(InputError):
    """The request cannot be served as it is."""


def read_request(line: bytes) -> "Request":
    """The request on a line. Raises `RequestError`."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RequestError("the line is not JSON") from error
    if not isinstance(fields, dict):
        raise RequestError("the line is not a JSON object")
    return Request(fields)


class Request:
    """Typed access to the fields; a missing optional field is None, empty or false."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = fields

    @property
    def id(self) -> object:
        """The id that the reply repeats: a string or a whole number, else None."""
        name = self._fields.get("id")
        return name if isinstance(name, str | int) else None

    def has(self, name: str) -> bool:
        return self._fields.get(name) is not None

    def text(self, name: str) -> str:
        return _text(name, self._field(name))

    def number(self, name: str) -> int:
        """A whole number from 0."""
        return _number(name, self._field(name))

    def octets(self, name: str) -> bytes:
        """A byte string in hex."""
        return _octets(name, self._field(name))

    def octets_or_none(self, name: str) -> bytes | None:
        return self.octets(name) if self.has(name) else None

    def octets_list(self, name: str) -> list[bytes]:
        return self._list(name, _octets)

    def number_list(self, name: str) -> list[int]:
        return self._list(name, _number)

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self._field(name) if self.has(name) else default
        if not isinstance(value, bool):
            raise RequestError(f"{name} is neither true nor false")
        return value

    def _field(self, name: str) -> object:
        if not self.has(name):
            raise RequestError(f"{name} is missing")
        return self._fields[name]

    def _list(self, name: str, read: Callable[[str, object], T]) -> list[T]:
        items = self._field(name) if self.has(name) else []
        if not isinstance(items, list):
            raise RequestError(f"{name} is not a list")
        return [read(name, item) for item in items]


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise RequestError(f"{name} is not a string")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RequestError(f"{name} is not Unicode") from error
    return value


def _number(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise RequestError(f"{name} is not a whole number from 0")
    return value


def _octets(name: str, value: object) -> bytes:
    text = _text(name, value)
    try:
        octets = bytes.fromhex(text)
    except ValueError as error:
        raise RequestError(f"{name} is not hex") from error
    if 2 * len(octets) != len(text):
        raise RequestError(f"{name} is not hex")
    return octets
