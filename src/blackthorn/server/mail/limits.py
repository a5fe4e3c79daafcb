"""Bounds of `server/mail`."""

MAX_CACHED_CERTIFICATES = 1_000
"""Parsed certificates kept for the answers to RCPT; parsing and trying one takes 0.5 ms."""
