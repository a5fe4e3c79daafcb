"""The export of all that is a person's: messages, mail, contacts, keys and their chain, as files.

Pure: `export.build` turns a source into files of a sink. `manifest` says what was exported, signed
by the device. Nothing here reads a vault, a link or a disk.
"""
