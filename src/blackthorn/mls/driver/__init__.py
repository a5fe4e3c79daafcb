"""A line protocol to drive this MLS implementation from outside: one JSON object a line each way.

`python -m blackthorn.mls.driver` is for interoperability tests. Byte strings are hex, every MLS
object is a whole MLSMessage. It accepts every credential and external join, and stores nothing.
Handshakes come as PrivateMessages and as PublicMessages (RFC 9420, 6.2). `new_client` has one more
field than other drivers: `public_handshakes`, false to refuse those of members.
"""
