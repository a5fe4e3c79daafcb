"""Processes that scan and seal mail: `pool` starts, bounds and restarts them, `worker` is one.

A crashing or hanging mail ends its worker, never the server. Never here: files, the network, or
decryption keys.
"""
