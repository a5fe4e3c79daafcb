"""Containers in mail other than MIME: S/MIME's signed data, Outlook's winmail.dat, uuencode.

Bytes in, the parts in them out; nothing is verified or decrypted. Damaged containers give None, so
that they are shown as attachments.
"""
