"""Outgoing operations by which conversations heal and renew their keys; nobody asks for them.

One module per kind, as in the folder above, whose `table` lists them too. `device.account` decides
when one is due, `device.healing` what has to be healed. Never here: a text, or a change that a
person asked for.
"""
