"""Bounds of `device/core`: each with its name, its unit and its reason."""

MAX_CACHED_LEAVES = 8_192
"""Leaves of all groups that a process keeps in memory, about 10 kB each; one may be larger."""
