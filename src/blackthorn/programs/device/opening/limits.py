"""Bounds of `programs/device/opening`: each with its name, its unit and its reason."""

from blackthorn.wire.units import MIB

MAX_OPENED_BYTES = 64 * MIB
"""The content of one sealed part: twice the largest mail, since senders may pack it."""

MAX_OPENING_BYTES = 768 * MIB
"""Address space of the process: Python and pysequoia take 250, content and its copies the rest."""

MAX_OPENING_SECONDS = 30
"""One sealed part: packed content can cost time instead of memory."""
