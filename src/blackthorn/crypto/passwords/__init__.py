"""Passwords that people are shown and type, and their hashes.

Never here: where the hashes are stored, and who may try.
"""
