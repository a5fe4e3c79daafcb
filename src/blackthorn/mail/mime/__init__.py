"""MIME (RFC 2045, 2046) as bytes: the scan before sealing, the part tree, header fields.

Linear, without recursion, bounded. Never here: decoding to text (`render`), encryption.
"""
