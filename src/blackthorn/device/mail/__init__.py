"""The user's OpenPGP keys and opening of mail.

Only this folder and `crypto.openpgp_open` use private OpenPGP keys. `programs.device` fetches mail.
"""
