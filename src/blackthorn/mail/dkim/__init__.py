"""DKIM signatures of mail that leaves (RFC 6376): what is signed, and the field that says so.

Keys and time are arguments. Never here: what others have signed, which `mail` checks elsewhere.
"""
