"""The plaintext audit: search every file and the memory of a server for planted markers.

`search` finds a marker in any of its encodings, `verdict` judges what was found; a search that
misses a leak planted on purpose has failed. Never here: planting (`demo.markers`).
"""
