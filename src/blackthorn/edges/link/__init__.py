"""WebSocket over TLS for the link: `server` listens, `client` connects and checks the server's key.

Bounds handshakes, messages and write buffers. Never here: the order or meaning of frames, which
`link.session` and the server's handlers decide.
"""
