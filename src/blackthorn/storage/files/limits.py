"""Bounds of `storage/files`."""

MAX_EVIDENCE_FILES = 1_024
"""Evidence files that a witness keeps; only a log's own signatures make one."""
