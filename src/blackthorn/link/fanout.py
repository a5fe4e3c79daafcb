"""Fan-out ids: short names of lists of devices."""

import hashlib
from collections.abc import Collection

from blackthorn.ids import DeviceId, FanoutId
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.frames import Fanout


def fanout_id(devices: Collection[DeviceId]) -> FanoutId:
    """The first 16 bytes of SHA-256 of the sorted, joined 16-byte device ids."""
    return FanoutId(hashlib.sha256(b"".join(sorted(devices))).digest()[:16])


def fanout_frame(devices: Collection[DeviceId]) -> Fanout:
    """The frame of this list."""
    return Fanout(fanout_id(devices), sorted(devices))


def open_fanout(frame: Fanout) -> tuple[DeviceId, ...]:
    """The distinct devices of a received list. Raises LinkError for another id."""
    devices = tuple(DeviceId(device) for device in frame.devices)
    if len(set(devices)) != len(devices) or fanout_id(devices) != frame.id:
        raise LinkError(Code.MALFORMED, "the fan-out id is not the hash of its devices")
    return devices
