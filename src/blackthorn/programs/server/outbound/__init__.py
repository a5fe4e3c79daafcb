"""Delivery of the queue while the server runs: who is due, by which connections, what is told.

Tasks are the supervisor's. What an attempt means is decided in `server.outbound`.
"""
