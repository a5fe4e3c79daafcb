"""PGP/MIME (RFC 3156): `seal` before storage, `open` on devices. Never here: stored keys."""
