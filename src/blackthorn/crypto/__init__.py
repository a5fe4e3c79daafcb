"""The only module that imports cryptographic libraries: primitives under their standard names.

AEAD, HKDF, KEMs and HPKE, signatures, VRF, SPAKE2, Argon2id, OpenPGP, X.509 for TLS. Secrets are
`Secret`, which does not print. `hpke` and `openpgp_open` decrypt; the server's side may not import
them (`.importlinter`). Never here: protocols, storage, a choice between algorithms.
"""
