"""A user's export on their device: `blackthorn export` and `blackthorn export verify`.

The source (vault and server), the folder written, and its check, which needs no device.
`device/export` defines the contents.
"""
