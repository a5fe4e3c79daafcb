"""The link's protocol engine: the frames between device and server, their order, authentication.

`frames/` are the messages, `session` the state table, `codes` the reasons for an end, `hello` a
device's authentication; `activation/` and `pairing/` are the exchanges by a code. Both sides import
the same modules. Never here: sockets, clocks, storage, or the effect of a frame.
"""
