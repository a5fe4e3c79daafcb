"""Signatures of mail in transit (DKIM, ARC): RSA with SHA-256, and Ed25519 (RFC 8301, RFC 8463).

`keys` verifies. Never here: tags, canonical forms, or the domain name system.
"""
