"""Fan-out ids: the short name of a list of devices, which commits to the list."""

import hashlib
from collections.abc import Collection

from blackthorn.ids import DeviceId, FanoutId
from blackthorn.link.codes import Code, LinkError
from blackthorn.link.frames import Fanout


def fanout_id(devices: Collection[DeviceId]) -> FanoutId:
    """16 bytes: the first 16 of SHA-256 of the sorted, joined 16-byte device ids.

    The id commits to the list: it cannot stand for another.
    """
    return FanoutId(hashlib.sha256(b"".join(sorted(devices))).digest()[:16])


def fanout_frame(devices: Collection[DeviceId]) -> Fanout:
    """The frame that tells the server this list."""
    return Fanout(fanout_id(devices), sorted(devices))


def open_fanout(frame: Fanout) -> tuple[DeviceId, ...]:
    """The devices of a received list, none of them twice.

    Raises LinkError when the id is not the list's.
    """
    devices = tuple(DeviceId(device) for device in frame.devices)
    if len(set(devices)) != len(devices) or fanout_id(devices) != frame.id:
        raise LinkError(Code.MALFORMED, "the fan-out id is not the hash of its devices")
    return devices
