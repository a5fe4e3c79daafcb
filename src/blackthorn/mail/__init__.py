"""Internet mail as bytes: bounds before parsing, sealing, opening, safe display.

`mime/` scans and parses, `pgp/` seals (server) and opens (device only), `render/` makes safe text,
`smtp/` reads envelope paths. All of it takes any bytes in linear time. Never here: sockets, queues,
storage, authorisation.
"""
