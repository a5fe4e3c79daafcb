"""The ports of mail from outside: other names of users, and the trace of each mail.

Never here: SQL, or the mail itself.
"""
