"""Users and devices: a bounded cache over the store, filled off the event loop.

`load_*` call `done` at once when all is cached, else after the store's answer. A link session calls
`session.ask()` before, and in `done` `session.answered()` after a look at `session.closed`. A
durable change of a user or their devices calls `forget`. An absence is never cached, since
administrators add users from another process.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from blackthorn.errors import BlackthornError
from blackthorn.ids import Address, DeviceId
from blackthorn.ports.enterprise import DeviceRecord, DevicesById, UserRecord, UsersByAddress
from blackthorn.ports.store import Done, Query, Reader, unless_failed
from blackthorn.server import limits

PAGE: Final = 128
"""Users or devices in one query."""


class _Record(Protocol):
    @property
    def address(self) -> Address: ...


Key = TypeVar("Key")
Record = TypeVar("Record", bound=_Record)


class _Cache(Generic[Key, Record]):
    """Records by key, at most `bound`; the oldest is evicted."""

    def __init__(
        self, reader: Reader, bound: int, query: Callable[[tuple[Key, ...]], Query[Any]]
    ) -> None:
        self._reader = reader
        self._bound = bound
        self._query = query
        self._loads: list[set[Address]] = []
        """For each running load, the users forgotten since it began."""
        self._keys: dict[Address, set[Key]] = {}
        self.records: dict[Key, Record] = {}

    def load(self, keys: Sequence[Key], done: Done[Mapping[Key, Record]]) -> None:
        """The existing ones of the keys, as of the call or later."""
        found = {key: self.records[key] for key in keys if key in self.records}
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        if not missing:
            done(found)
            return
        forgotten: set[Address] = set()
        self._loads.append(forgotten)

        def ask() -> None:
            page = tuple(missing[:PAGE])
            del missing[:PAGE]
            self._reader.ask(self._query(page), answered)

        def answered(result: Mapping[Key, Record] | BlackthornError) -> None:
            if not isinstance(result, BlackthornError):
                found.update(result)
                self._keep(result, forgotten)
                if missing:
                    ask()
                    return
            self._loads = [load for load in self._loads if load is not forgotten]
            if isinstance(result, BlackthornError):
                done(result)
            elif forgotten and any(record.address in forgotten for record in found.values()):
                self.load(keys, done)
            else:
                done(found)

        ask()

    def _keep(self, found: Mapping[Key, Record], forgotten: set[Address]) -> None:
        for key, record in found.items():
            if key not in self.records and record.address not in forgotten:
                if len(self.records) >= self._bound:
                    self._drop(next(iter(self.records)))
                self.records[key] = record
                self._keys.setdefault(record.address, set()).add(key)

    def _drop(self, key: Key) -> None:
        address = self.records.pop(key).address
        self._keys[address].discard(key)
        if not self._keys[address]:
            del self._keys[address]

    def forget(self, address: Address) -> None:
        """Forget the records of `address`, and mark running loads."""
        for key in tuple(self._keys.get(address, ())):
            self._drop(key)
        for forgotten in self._loads:
            forgotten.add(address)


class EnterpriseCache:
    """Bounded cache of users and devices."""

    def __init__(self, reader: Reader) -> None:
        self._devices: _Cache[DeviceId, DeviceRecord] = _Cache(
            reader, limits.MAX_CACHED_DEVICES, DevicesById
        )
        self._users: _Cache[Address, UserRecord] = _Cache(
            reader, limits.MAX_CACHED_USERS, UsersByAddress
        )

    def load_user(self, address: Address, done: Done[UserRecord | None]) -> None:
        """The user of that normalised address, or None."""
        self._users.load((address,), _one(address, done))

    def load_users(
        self, addresses: Sequence[Address], done: Done[Mapping[Address, UserRecord]]
    ) -> None:
        self._users.load(addresses, done)

    def load_device(self, device: DeviceId, done: Done[DeviceRecord | None]) -> None:
        """The device of that id, or None."""
        self._devices.load((device,), _one(device, done))

    def load_devices(
        self, devices: Sequence[DeviceId], done: Done[Mapping[DeviceId, DeviceRecord]]
    ) -> None:
        self._devices.load(devices, done)

    def forget(self, address: Address) -> None:
        """A durable command changed the user or their devices: read them anew."""
        self._users.forget(address)
        self._devices.forget(address)


def _one(key: Key, done: Done[Record | None]) -> Done[Mapping[Key, Record]]:
    def found(records: Mapping[Key, Record]) -> None:
        done(records.get(key))

    return unless_failed(done, found)
