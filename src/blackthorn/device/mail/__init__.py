"""The user's OpenPGP keys, and opening mail with them.

No network, no mail store: the server keeps the mail, `programs.device` fetches it. Only this folder
and `crypto.openpgp_open` below it touch a private OpenPGP key.
"""
