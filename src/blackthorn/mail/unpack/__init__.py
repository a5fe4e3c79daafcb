"""Containers in mail other than MIME: S/MIME, winmail.dat, uuencode, OpenPGP in a text.

Bytes in, the parts in them out; nothing is verified or decrypted. Damaged containers give None, so
that they are shown as attachments.
"""
