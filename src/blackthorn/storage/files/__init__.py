"""Files on disk: `atomic` renames and syncs; a folder has a lock, modes and staged creation.

Folders of server, ledger and witness, market keys, anchors, evidence. Nothing else renames a file.
"""
