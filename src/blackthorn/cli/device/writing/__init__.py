"""Commands of the family `mail` by which a person writes: send, reply, forward, drafts.

They parse, call `programs.device.letters` and print.
"""
