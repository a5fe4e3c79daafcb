"""A record as the values of a row, in the order of its fields.

`dataclasses.astuple` copies every value deeply first, which costs more than the insert.
"""

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def values(record: "DataclassInstance") -> tuple[Any, ...]:
    """The values of a dataclass with two fields or more; nothing is copied."""
    return _getter(type(record))(record)


@cache
def _getter(kind: "type[DataclassInstance]") -> Callable[[object], tuple[Any, ...]]:
    return attrgetter(*(field.name for field in fields(kind)))
