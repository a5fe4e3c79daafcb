"""`blackthorn dns`: what the records of the own domain follow from, and the questions of its check.

The engine is `mail.dns`. Never here: whether a record is right.
"""
