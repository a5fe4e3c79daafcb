"""PGP/MIME (RFC 3156): `seal` before a mail is stored, `open` on devices.

Only `device` may reach `open`. Never here: stored keys, files, sockets.
"""
