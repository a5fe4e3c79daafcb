"""Internet mail as bytes: bounds before anything parses it, sealing, opening, safe display.

`mime/` scans and splits, `pgp/` seals (server) and opens (device only), `render/` makes safe text,
`smtp/` reads envelope paths. Everything is linear in the mail's length and takes any bytes. Never
here: sockets, queues, storage, recipients' rights.
"""
