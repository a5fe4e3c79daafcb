"""A member's group: `Group` is the way in; the modules beside it read, make, join and store.

Only `Group` changes state, last, and only by what the other modules return: a method succeeds or
leaves the stored bytes identical. Never here: wire types, tree arithmetic, key derivation.
"""
