"""The base of a device: its keys and the unit of work over its store.

Also leaf identities, the envelope, group metadata, verified chains and the trust anchors.
Never here: link frames, operations, conversations.
"""
