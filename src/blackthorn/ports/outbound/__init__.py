"""Ports of outbound mail: the queue, and what carries mail to others.

Never here: how it is stored, or what a socket does.
"""
