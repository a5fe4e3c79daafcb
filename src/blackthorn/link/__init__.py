"""The link's protocol engine: what a device and the server say, when, and how a side proves itself.

`frames/` are the messages, `session` the table of what may be sent when, `codes` the reasons for an
end, `hello` the proof of a device; `activation/` and `pairing/` are the exchanges by a code. Both
sides import the same modules. Never here: sockets, clocks, storage, or what a frame makes happen.
"""
