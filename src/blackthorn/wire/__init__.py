"""Codecs for every layer: TLS presentation language, CBOR, signed notes, addresses.

Each parser raises one exception type whatever the bytes. Never here: meaning, signature checks,
cryptography, input or output.
"""
