"""The only door to the cryptographic libraries: primitives under their standard names.

AEAD, HKDF, KEMs and HPKE, signatures, VRF, SPAKE2, Argon2id, OpenPGP, X.509 for TLS. Every secret
is a `Secret`, which does not print. `hpke` and `openpgp_open` can open; the server's side may not
import them (`.importlinter`). Never here: protocols, storage, or a choice between algorithms.
"""
