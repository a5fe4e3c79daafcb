"""Sockets and processes: bytes from the network to engines and services, and answers back.

A folder per protocol, and `sealing/`, the processes that seal mail. An edge bounds time, sizes and
connections, and maps errors to its protocol's codes in one table. Never here: decisions, stored
state, or decryption.
"""
