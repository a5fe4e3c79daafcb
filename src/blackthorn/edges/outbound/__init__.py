"""SMTP to others: where a domain's mail goes, how it is secured on the way, and the handing over.

What is due, and what a reply means for the queue, is decided elsewhere.
"""
