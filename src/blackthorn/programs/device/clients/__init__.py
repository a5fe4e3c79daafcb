"""What the mail programs of a user need of their device.

Never here: terminal input or output.
"""
