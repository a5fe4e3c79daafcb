"""Composition of outgoing mail: header fields, text, attachments, replies, and header protection.

Bytes of RFC 5322 (7-bit but for a forwarded original); sealing is in `mail.pgp`, keys are with
devices. Bcc recipients stand in no message: only the envelope names them.
"""
