"""Aliases, lists and traces of mail from outside in SQLite.

Never here: the mail itself (`stores.mail`).
"""
