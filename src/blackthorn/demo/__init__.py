"""Demonstrations that run everything for real: the demo, and the search for planted markers.

A test deployment starts the same `blackthorn` program, sockets and files as in service, and counts
from the outside what was sent and received. Only `cli` and tests import this. Nothing here knows a
key or a format: it runs commands and reads what they print.
"""
