"""Commands of officers: `role`, `directive` and `market`.

`generate` builds most of them from the forms of `governance`; `programs.device.officer` fetches,
checks, signs and submits decisions.
"""
