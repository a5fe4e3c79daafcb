"""The enterprise's services, a folder for each use case, and `handlers/`, which translate frames.

Services take and return values or raise, and change the store by commands. Nothing here can open
what is sealed. Never here: sockets, SQL, SMTP reply codes, options of commands.
"""
