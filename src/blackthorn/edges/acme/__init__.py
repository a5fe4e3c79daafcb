"""ACME (RFC 8555): orders of certificates from an authority, and answers to its HTTP-01 challenges.

Blocking calls of the `acme` library, for a thread of their own. Never here: when to renew, or where
keys and certificates are stored.
"""
