"""Bounds of `programs/device`: each with its name, its unit and its reason."""

from blackthorn.wire.units import MIB

MAX_EXPORT_MANIFEST_BYTES = 256 * MIB
"""The manifest of an export that is checked: a million files are 130 MB."""

MAX_EXPORT_MESSAGES = 5_000_000
"""Messages of one export; a text of 200 characters each is 2 GB of memory."""

MIN_EXPORT_PASSPHRASE_CHARACTERS = 12
"""Of the passphrase for exported keys: whoever finds the file may try as long as he likes."""

MAX_DECISIONS = 131_072
"""Decisions that a device replays: 10,000 directives are 70,000 of them, about 8 kB each."""
