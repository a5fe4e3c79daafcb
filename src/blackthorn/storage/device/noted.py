"""Noted changes and former devices in SQL (`ports.device_groups`)."""

from collections.abc import Iterable

from blackthorn.ports.device_groups import RemovedLeaf
from blackthorn.storage.device.records import Table
from blackthorn.storage.device.remembered import remembered
from blackthorn.storage.rows import values


class NotedChanges(Table):
    """`ports.device_groups.NotedChanges`."""

    @remembered("noted")
    def notes(self, conversation: bytes) -> bytes | None:
        row = self._one("SELECT notes FROM noted WHERE conversation = ?", (conversation,))
        return bytes(row[0]) if row else None

    def put_notes(self, conversation: bytes, notes: bytes | None) -> None:
        """Replace what is noted in a conversation; None: nothing is."""
        if notes is None:
            self._run("DELETE FROM noted WHERE conversation = ?", (conversation,))
            return
        self._run(
            "INSERT OR REPLACE INTO noted (conversation, notes) VALUES (?, ?)",
            (conversation, notes),
        )

    @remembered("noted")
    def all_notes(self) -> list[tuple[bytes, bytes]]:
        return self._run("SELECT conversation, notes FROM noted")

    def add_removed_leaf(self, leaf: RemovedLeaf) -> None:
        self._run(
            "INSERT OR REPLACE INTO removed_leaf (conversation, device, address, leaf, epoch)"
            " VALUES (?, ?, ?, ?, ?)",
            values(leaf),
        )

    @remembered("removed_leaf")
    def removed_leaves(self) -> list[RemovedLeaf]:
        rows = self._run("SELECT conversation, device, address, leaf, epoch FROM removed_leaf")
        return [RemovedLeaf(*row) for row in rows]

    def forget_removed_leaf(self, leaf: RemovedLeaf) -> None:
        self._run(
            "DELETE FROM removed_leaf WHERE conversation = ? AND device = ?",
            (leaf.conversation, leaf.device),
        )

    def add_former(self, devices: Iterable[bytes]) -> None:
        """Their user's chain shows them as former; known ones stay as they are."""
        self._many(
            "INSERT OR IGNORE INTO former_device (device, cut) VALUES (?, 0)",
            [(device,) for device in devices],
        )

    @remembered("former_device")
    def cut(self, device: bytes) -> int | None:
        """None for a device that no chain showed as former."""
        row = self._one("SELECT cut FROM former_device WHERE device = ?", (device,))
        return int(row[0]) if row else None

    def move_cuts(self, before: int, after: int) -> bool:
        """Replace one cut of all devices by another; whether there was any."""
        found = before in self._cuts()
        if found:
            self._run("UPDATE former_device SET cut = ? WHERE cut = ?", (after, before))
        return found

    @remembered("former_device")
    def _cuts(self) -> list[int]:
        return [int(cut) for (cut,) in self._run("SELECT DISTINCT cut FROM former_device")]
