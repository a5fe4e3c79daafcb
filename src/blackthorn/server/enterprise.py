"""Who exists: a bounded cache over the store's users and devices, filled off the event loop.

`load_user`, `load_users` and `load_devices` call `done` at once when all is cached, else when the
store has answered. While a link session waits for that: `session.ask()` before, and in `done`
`session.answered()` and a look at `session.closed`. `known_user` and `known_device` answer at
once, from the cache only. Whoever changes a user or their devices calls `forget` when the change
is durable. An absence is never cached, since administrators add users from another process.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from blackthorn.errors import BlackthornError
from blackthorn.ids import Address, DeviceId
from blackthorn.ports.enterprise import DeviceRecord, DevicesById, UserRecord, UsersByAddress
from blackthorn.ports.store import Done, Query, Reader, unless_failed
from blackthorn.server import limits

PAGE: Final = 256
"""Users or devices asked for at once, so that one query is short."""


class _Record(Protocol):
    @property
    def address(self) -> Address:
        """Whose record it is."""


Key = TypeVar("Key")
Record = TypeVar("Record", bound=_Record)


class _Cache(Generic[Key, Record]):
    """Records of one kind by key, at most `bound`; the oldest goes when the bound is reached."""

    def __init__(
        self, reader: Reader, bound: int, query: Callable[[tuple[Key, ...]], Query[Any]]
    ) -> None:
        self._reader = reader
        self._bound = bound
        self._query = query
        self._loads: list[set[Address]] = []
        """For each load under way, whose records were forgotten since it began."""
        self._keys: dict[Address, set[Key]] = {}
        self.records: dict[Key, Record] = {}

    def load(self, keys: Sequence[Key], done: Done[Mapping[Key, Record]]) -> None:
        """Those of the keys that exist, fresh as of the call or later."""
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
                if missing:
                    ask()
                    return
            self._loads = [load for load in self._loads if load is not forgotten]
            if isinstance(result, BlackthornError):
                done(result)
            elif forgotten and any(record.address in forgotten for record in found.values()):
                self.load(keys, done)
            else:
                self._keep(found)
                done(found)

        ask()

    def _keep(self, found: Mapping[Key, Record]) -> None:
        for key, record in found.items():
            if key not in self.records:
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
        """Forget the records of `address`, and what is being loaded of it."""
        for key in tuple(self._keys.get(address, ())):
            self._drop(key)
        for forgotten in self._loads:
            forgotten.add(address)


class EnterpriseCache:
    """See the module."""

    def __init__(self, reader: Reader) -> None:
        self._devices: _Cache[DeviceId, DeviceRecord] = _Cache(
            reader, limits.MAX_CACHED_DEVICES, DevicesById
        )
        self._users: _Cache[Address, UserRecord] = _Cache(
            reader, limits.MAX_CACHED_USERS, UsersByAddress
        )

    def known_user(self, address: Address) -> UserRecord | None:
        """The user if cached."""
        return self._users.records.get(address)

    def known_device(self, device: DeviceId) -> DeviceRecord | None:
        """The device if cached."""
        return self._devices.records.get(device)

    def load_user(self, address: Address, done: Done[UserRecord | None]) -> None:
        """The user of that normalised address, or None when there is none."""
        self._users.load((address,), _one(address, done))

    def load_users(
        self, addresses: Sequence[Address], done: Done[Mapping[Address, UserRecord]]
    ) -> None:
        """Those of the addresses that are users."""
        self._users.load(addresses, done)

    def load_device(self, device: DeviceId, done: Done[DeviceRecord | None]) -> None:
        """The device of that id, or None when no such device was activated."""
        self._devices.load((device,), _one(device, done))

    def load_devices(
        self, devices: Sequence[DeviceId], done: Done[Mapping[DeviceId, DeviceRecord]]
    ) -> None:
        """Those of the ids that are devices."""
        self._devices.load(devices, done)

    def forget(self, address: Address) -> None:
        """Read the user and their devices afresh next time: a durable command changed them."""
        self._users.forget(address)
        self._devices.forget(address)


def _one(key: Key, done: Done[Record | None]) -> Done[Mapping[Key, Record]]:
    def found(records: Mapping[Key, Record]) -> None:
        done(records.get(key))

    return unless_failed(done, found)
