"""A member's group: `Group` is the entry point; other modules receive, commit, join and store.

Only `Group` changes state. Never here: wire types, tree arithmetic, key derivation.
"""
