"""What server and device need of the world: stores, clock, randomness, notices.

Protocols and the values that cross them; commands and queries are frozen dataclasses (`store`).
Never here: SQL, files, sockets, or a decision.
"""
