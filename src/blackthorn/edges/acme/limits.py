"""Bounds of `edges/acme`."""

ACME_REQUEST_SECONDS = 30
"""Time for one request to the authority."""

ACME_ORDER_SECONDS = 180
"""Time for an order, from its challenges to its certificate; public authorities take seconds."""

MAX_ACME_CHAIN_BYTES = 256 * 1024
"""The chain that an authority issues; public ones have about 6 KiB."""

MAX_ACME_PROBLEM_CHARACTERS = 300
"""What is kept of an authority's own words about a failure, for the log and the administrator."""
