"""Outbound mail: what users send is checked, queued durably, and followed until it has arrived.

Bytes arrive sealed by the sender's device and leave so. How they travel is the edge's: no socket,
no DNS and no SMTP reply is known here.
"""
