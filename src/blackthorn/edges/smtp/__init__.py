"""SMTP from the Internet: `server` speaks the protocol, `gateway` has a mail sealed and stored.

Plain mail is in memory only, and never logged. Never here: parsing of mail, or the choice of
recipients.
"""
