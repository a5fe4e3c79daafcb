"""Opens what senders sealed by OpenPGP in a process of its own, whose memory is bounded.

A sealed text of a few kilobytes can unpack to gigabytes, and pysequoia has no bound for it: that
must end only the process that opens it. Never here: the server's own seal, which does not pack.
"""
