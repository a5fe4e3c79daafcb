"""A user's export on their device: `blackthorn export` and `blackthorn export verify`.

Here are the source (the vault, and the server for mail), the folder that is written and its check,
which needs no device. What an export holds and how it is encoded is in `device/export`; printing
and asking for the passphrase is in `cli/device`.
"""
