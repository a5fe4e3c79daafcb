"""Handlers translate frames of the link into calls of services, and results into frames.

One module per use case. A session is one link connection, `connections` holds all of them,
`dispatcher` gives each frame to its handler, and `errors` maps errors and refusals to link codes.
Nothing is decided or stored here, and no service imports a handler.
"""
