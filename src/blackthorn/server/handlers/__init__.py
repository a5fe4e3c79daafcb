"""Handlers: frames of the link become calls of services, and their results become frames.

One module for each use case. A session is one link connection, `connections` holds all of them,
`dispatcher` gives each frame to its handler, and `errors` maps every kind of error and refusal to
its code of the link. Nothing is decided here about messages, mail or people, and nothing is
stored. No service imports a handler.
"""
