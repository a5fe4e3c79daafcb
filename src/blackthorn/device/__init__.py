"""The user's device without sockets and clock: keys, verification, conversations, sending, export.

Layers from the bottom: `mail`, `core`, `transparency`, `conversations`, `operations`, `account`,
`export`; `engine` joins them for one connection. The server's packages must not import any of it.
"""
