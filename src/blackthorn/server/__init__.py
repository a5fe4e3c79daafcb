"""The enterprise's services, a folder per use case, and `handlers/`, which translate frames.

Services take and return values or raise, and change the store by commands. Nothing here can
decrypt. Never here: sockets, SQL, SMTP reply codes, options of commands.
"""
