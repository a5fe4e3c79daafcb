"""SMTP's envelope paths (RFC 5321, 4.1.2) as bytes.

Never here: reply codes, sockets, decisions about recipients.
"""
