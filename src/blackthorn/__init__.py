"""Blackthorn: secure enterprise e-mail and messaging in which the server can read nothing."""

__version__ = "0.1.0"
