"""What an executor of a command or a query works with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from blackthorn.ids import Address
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.wrapping import DeviceMarkets, Wrapping


@dataclass(slots=True)
class Transaction:
    """A connection in a transaction, the layer of market keys, and which device has which market.

    Commands get that of the writing connection, queries that of the reading one.
    """

    connection: Connection
    wrapping: Wrapping
    device_markets: DeviceMarkets = field(default_factory=DeviceMarkets)


Executor = Callable[[Transaction, Any], Any]
Table = Mapping[type, Executor]
"""For each type of command or query of a store, what executes it."""


def user_number(connection: Connection, address: Address) -> int | None:
    """The row of a user."""
    query = "SELECT number FROM users WHERE address = ?"
    number: int | None = connection.execute(query, (address,)).get
    return number
