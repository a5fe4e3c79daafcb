"""Wire messages (RFC 9420, 5, 6, 10 and 12): content, signatures, encryption, padding.

`protection` signs and encrypts; the rest are wire types. Never here: a group's state or rules.
"""
