"""Files on disk: `atomic` renames and syncs; a folder has a lock, modes and staged creation.

The folders of server, ledger and witness, market keys, anchors, evidence. Nothing else renames a
file. Never here: what a key or a checkpoint is used for.
"""
