"""Keys of the mail plane that are neither OpenPGP nor TLS.

Never here: files, or the mail itself.
"""
