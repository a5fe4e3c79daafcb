"""A thief with a copy of a device's vault, who reads along and sends nothing."""

from collections.abc import Callable

from blackthorn.crypto.secret import Secret
from blackthorn.device.conversations import content
from blackthorn.device.core import envelope
from blackthorn.device.core.keys import DeviceKeys
from blackthorn.device.core.unit_of_work import unit
from blackthorn.errors import InputError
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.group.group import Application, Group
from blackthorn.simulation.memory import MemoryVault


class Thief:
    """Has the groups and envelope keys of a vault as they were, and all that the device got since.

    `stolen` is the age of the world at the theft, in seconds.
    """

    def __init__(
        self,
        vault: MemoryVault,
        keys: DeviceKeys,
        stolen: float,
        now_ms: int,
        random: Callable[[int], bytes],
    ) -> None:
        self.stolen = stolen
        self.parcels: list[bytes] = []
        with unit(vault.copy(), keys, now_ms, random) as made:
            self._keys = list(made.envelopes())
            self._groups: dict[bytes, Group] = {
                record.id: made.open(record.id).group for record in made.records.conversations.all()
            }

    def read(self) -> set[str]:
        """The texts that can be opened, no matter who signed them."""
        found: set[str] = set()
        closed, progress = self.parcels, True
        while progress:
            trying, closed, progress = closed, [], False
            for parcel in trying:
                try:
                    found |= self._open(parcel)
                    progress = True
                except InputError:
                    closed.append(parcel)
        return found

    def _open(self, parcel: bytes) -> set[str]:
        """The texts in a parcel. Raises InputError when it does not open."""
        if envelope.welcome_of(parcel) is not None:
            raise envelope.UnknownEnvelopeError("a Welcome")
        (owner, _), message = envelope.open_group_parcel(parcel, self._keys)
        group = self._groups[owner]
        received = group.process(message, validate=lambda *_: None)
        match received:
            case Application():
                try:
                    return {content.decode(received.content).text}
                except content.ContentError:
                    return set()
            case StagedCommit():
                group.merge(received)
                if received.next is not None:
                    self._know(group)
        return set()

    def _know(self, group: Group) -> None:
        key = group.export(envelope.EXPORT_LABEL, b"", envelope.KEY_BYTES)
        self._keys.insert(0, envelope.EnvelopeKey((group.group_id, group.epoch), Secret(key)))
