"""The export of a user's data: messages, mail, contacts, keys and their chain, as files.

Pure functions without vault, link or disk: `export.build` writes a source's data to a sink.
"""
