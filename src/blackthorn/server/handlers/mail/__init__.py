"""Link handlers of mail: `mailbox` lists, gives and deletes a user's own mail, `submission` takes
what their devices send.

Sealed bytes only; what is done with them is decided in `server.mail` and `server.outbound`.
"""
