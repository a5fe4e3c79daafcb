"""SMTP servers: `connection` speaks the protocol, a `policy` decides, `server` listens.

`inbound` is the policy of mail from the Internet, which `gateway` has sealed and stored. Plain mail
is in memory only, and never logged. Never here: parsing of mail, or the choice of recipients.
"""
