"""Sealed mail of devices that is still coming in, piece by piece: in memory only.

A device that was cut off goes on where it was. What it has not finished in a while is dropped, and
a server that starts anew asks for all of it again: nothing was accepted yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from blackthorn.errors import ProtocolError, UnavailableError
from blackthorn.ids import Address, DeviceId
from blackthorn.server.outbound import limits

Key = tuple[DeviceId, bytes]
"""The device and its token of the mail."""


@dataclass(eq=False, slots=True)
class Upload:
    """One mail of `size` bytes for these recipients; `at` is when it last moved, in seconds."""

    owner: Address
    sender: str
    recipients: tuple[str, ...]
    size: int
    at: float
    data: bytearray = field(default_factory=bytearray, repr=False)
    submitted: bool = False
    """It is being accepted: nothing may be added."""

    @property
    def whole(self) -> bool:
        return len(self.data) == self.size

    def add(self, offset: int, data: bytes, now: float) -> None:
        """Add the next bytes; bytes of another offset came twice. Raises ProtocolError."""
        if self.submitted or offset != len(self.data):
            return
        if offset + len(data) > self.size:
            raise ProtocolError("the device sends more of a mail than it has announced")
        self.data += data
        self.at = now


@dataclass
class Uploads:
    """All of them. One user may have MAX_UPLOADS_PER_USER at a time."""

    _found: dict[Key, Upload] = field(default_factory=dict)

    def offer(
        self,
        device: DeviceId,
        token: bytes,
        owner: Address,
        sender: str,
        recipients: Sequence[str],
        size: int,
        now: float,
    ) -> Upload:
        """The upload, new or begun before. Raises UnavailableError when there are too many."""
        self.drop_idle(now)
        known = self._found.get((device, token))
        if known is not None and known.submitted:
            raise UnavailableError("this mail is being stored")
        if known is not None and known.size == size and known.sender == sender:
            known.recipients, known.at = tuple(recipients), now
            return known
        self._found.pop((device, token), None)
        others = [upload for upload in self._found.values() if upload.owner == owner]
        if len(others) >= limits.MAX_UPLOADS_PER_USER:
            raise UnavailableError("other mail of yours is still coming in; this one waits")
        if sum(upload.size for upload in self._found.values()) + size > limits.MAX_UPLOAD_BYTES:
            raise UnavailableError("the server takes much other mail now; this one waits")
        made = Upload(owner, sender, tuple(recipients), size, now)
        self._found[device, token] = made
        return made

    def find(self, device: DeviceId, token: bytes) -> Upload | None:
        return self._found.get((device, token))

    def drop(self, device: DeviceId, token: bytes) -> None:
        self._found.pop((device, token), None)

    def drop_idle(self, now: float) -> None:
        """Drop what has not moved for UPLOAD_IDLE_SECONDS."""
        old = [
            key
            for key, upload in self._found.items()
            if not upload.submitted and now - upload.at > limits.UPLOAD_IDLE_SECONDS
        ]
        for key in old:
            del self._found[key]
