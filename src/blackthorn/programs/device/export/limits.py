"""Bounds of `programs/device/export`: each with its name, its unit and its reason."""

from blackthorn.wire.units import MIB

MAX_EXPORT_MANIFEST_BYTES = 256 * MIB
"""The manifest of an export that is checked: a million files are 130 MB."""

MAX_EXPORT_MESSAGES = 5_000_000
"""Messages of one export; a text of 200 characters each is 2 GB of memory."""

MIN_EXPORT_PASSPHRASE_CHARACTERS = 12
"""Shortest passphrase for exported keys: a finder of the file can guess without limit."""
