"""Markets that are left: what an exit still allows, who is notified, and the market's closure.

Each step follows from a decision of officers (`server.governance`), never from a date. Keys and
files come in as arguments; nothing here opens what is sealed to a user.
No link frame and no SMTP reply code: handlers and `edges.smtp` translate.
"""
