"""Secrets of an epoch (RFC 9420, 8 and 9): key schedule, secret tree, transcript hashes, PSKs.

A message key is used once and then erased. Never here: the ratchet tree, framing, decisions.
"""
