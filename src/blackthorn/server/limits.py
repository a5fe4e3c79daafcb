"""Bounds of `server`: each with its name, its unit and its reason."""

MAX_CONNECTIONS = 20_000
"""Open link connections of one server."""
