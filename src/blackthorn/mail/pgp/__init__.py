"""PGP/MIME (RFC 3156): `seal` before a mail is stored, `open` on a device.

The server's side cannot import `open`. Never here: keys at rest, or a choice of the recipient.
"""
