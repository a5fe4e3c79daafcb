"""Bounds of `server`."""

MAX_CONNECTIONS = 20_000
"""Open link connections of one server."""

MAX_CACHED_DEVICES = 50_000
"""Device records that the server keeps in memory: more than can be connected at once."""

MAX_CACHED_USERS = 2_000
"""User records kept in memory; each holds an OpenPGP certificate, 44 MiB in all at the worst."""
