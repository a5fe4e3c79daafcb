"""Demonstrations with real processes: the demo, and the search for planted markers.

Only `cli` and tests import this. It runs commands and reads their output.
"""
