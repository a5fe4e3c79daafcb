"""Resets on the server's side: when their devices become live, or go.

Devices judge by the time of the newest published epoch, and so does the server: a reset is
effective here with the first published epoch at or behind its time. Then its device is
live and the user's other devices are gone, in one transaction. A cancel that was logged in time
removes the reset's device. Whether one was, `identity.chain` says, not this module.
"""

from collections.abc import Callable
from functools import partial

from blackthorn.errors import StorageError
from blackthorn.identity.chain import VerifiedChain
from blackthorn.identity.statements import Reset, decode
from blackthorn.ids import Address, DeviceId
from blackthorn.ports.ledger import LedgerStore, Settlement
from blackthorn.ports.writer import Writer
from blackthorn.server.ledger.chains import Chains, DevicesChanged
from blackthorn.server.ledger.epoch_builder import Waiting


class Resets:
    """The devices that wait for their resets."""

    def __init__(
        self,
        store: LedgerStore,
        writer: Writer,
        chains: Chains,
        changed: Callable[[DevicesChanged], None],
    ) -> None:
        self._store = store
        self._writer = writer
        self._chains = chains
        self._changed = changed
        self._settling: set[DeviceId] = set()
        self._dropping: set[Address] = set()
        self.next_ms: int | None = None
        """When the next reset becomes effective, or None."""

    def look(self, size: int, time_ms: int) -> None:
        """An epoch was published: settle what is settled by its first `size` entries.

        `time_ms` is the ledger's time by which devices judge too.
        """
        times: list[int] = []
        for address, device in self._store.resets():
            if device in self._settling:
                continue
            rows = self._store.statements(address, 0)
            published = [row for row in rows if row.place is not None and row.place < size]
            if not published:
                continue
            chain = self._chains.verified(address, published, time_ms)
            if chain.pending is not None and chain.pending.device.id == device:
                times.append(chain.pending.effective_ms)
            elif (seq := _reset_of(chain, device)) is not None:
                self._settle(chain, Address(address), device, seq)
        self.next_ms = min(times, default=None)

    def _settle(self, chain: VerifiedChain, address: Address, device: DeviceId, seq: int) -> None:
        self._settling.add(device)
        effective = any(each.seq == seq and each.effective for each in chain.resets)
        if effective:
            job = self._store.settle(Settlement(address, seq, device))
            self._writer.submit(job, partial(self._settled, address, device))
        else:
            removal = self._store.remove(address, device)
            self._writer.submit(removal, partial(self._removed, address, device))

    def _settled(
        self, address: Address, device: DeviceId, gone: list[DeviceId] | StorageError
    ) -> None:
        self._settling.discard(device)
        if not isinstance(gone, StorageError):
            self._chains.forget(address)
            self._changed(DevicesChanged(address, tuple(gone)))

    def _removed(self, address: Address, device: DeviceId, failed: StorageError | None) -> None:
        self._settling.discard(device)
        if failed is None:
            self._changed(DevicesChanged(address, (device,)))

    # --- Cancels that come too late -------------------------------------------------------

    def drop_late(self, waiting: Waiting, unix_ms: int) -> bool:
        """Forget cancels that the epoch of this time would log too late; whether there were any.

        Logged like this they would break the user's chain for everybody.
        """
        late: list[tuple[Address, int]] = []
        for user in waiting.users:
            cancel = next((each for each in user.statements if each.kind == "cancel"), None)
            if cancel is None:
                continue
            address = user.label.address
            rows = [row for row in self._store.statements(address, 0) if row.seq <= cancel.seq]
            try:
                self._chains.verified(address, rows, unix_ms)
            except StorageError:
                late.append((address, cancel.seq))
        for address, seq in late:
            self._drop(address, seq)
        return bool(late)

    def _drop(self, address: Address, seq: int) -> None:
        if address in self._dropping:
            return
        self._dropping.add(address)
        self._chains.forget(address)
        self._writer.submit(self._store.drop(address, seq), partial(self._dropped, address))

    def _dropped(self, address: Address, failed: StorageError | None) -> None:
        self._dropping.discard(address)
        self._chains.forget(address)


def _reset_of(chain: VerifiedChain, device: DeviceId) -> int | None:
    """The seq of the reset that brought the device, if it is in the chain."""
    for record in chain.resets:
        body = decode(chain.statements[record.seq - 1]).statement.body
        if isinstance(body, Reset) and body.device.id == device:
            return record.seq
    return None
