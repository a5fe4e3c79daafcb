"""Byte codecs that every layer shares: TLS presentation language, CBOR, signed notes, addresses.

A module turns bytes into a value and back, or raises one exception type whatever the bytes.
Never here: what a value means, whether a signature holds, cryptography, input or output.
"""
