"""Pairing: a live device of a user and a new one prove to each other that they know one code.

`messages` are the types, `channel` seals them, `exchange` has both sides' steps
(docs/specs/pairing.md). Never here: effects of the messages, storage, user interaction.
"""
