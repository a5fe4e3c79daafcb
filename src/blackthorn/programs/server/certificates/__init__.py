"""The certificate of the public listeners (HTTPS, SMTP): chosen, watched, renewed and reported.

It comes from files that the administrator names, from an ACME authority, or is self-signed. Never
here: the link's pinned key, or the settings of other sections.
"""
