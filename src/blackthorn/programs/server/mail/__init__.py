"""Composition of mail from outside: its judgement, its recipients and its listeners.

Never here: decisions about a mail, or a protocol.
"""
