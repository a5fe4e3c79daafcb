"""Context of the executors of commands and queries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from blackthorn.ids import Address
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.wrapping import DeviceMarkets, Wrapping


@dataclass(slots=True)
class Transaction:
    """A connection in a transaction, with market keys and the devices' markets."""

    connection: Connection
    wrapping: Wrapping
    device_markets: DeviceMarkets = field(default_factory=DeviceMarkets)


Executor = Callable[[Transaction, Any], Any]
Table = Mapping[type, Executor]
"""Type of command or query → its executor."""


def user_number(connection: Connection, address: Address) -> int | None:
    """The row of a user."""
    query = "SELECT number FROM users WHERE address = ?"
    number: int | None = connection.execute(query, (address,)).get
    return number
