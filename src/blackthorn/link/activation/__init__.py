"""Activation: a new device and the server prove to each other that they know one code.

`code` is the code and its written forms, `exchange` both sides' steps (docs/specs/activation.md).
Pure; randomness is an argument. Never here: tries, expiry, storage, user interaction.
"""
