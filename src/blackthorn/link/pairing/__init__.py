"""Pairing: a live device of a user and a new one prove to each other that they know one code.

`messages` are what they say, `channel` seals it, `exchange` has both sides' steps
(docs/specs/pairing.md). Never here: what the messages make a device do, storing, asking a person.
"""
