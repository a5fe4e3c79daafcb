"""OpenPGP packets as bytes (RFC 9580), for what pysequoia cannot make or tell.

`packets` frames and splits, `compatible` makes the version 4 certificate for other mail programs,
`recipients` judges certificates and seals to them. Never here: opening, and trust.
"""
