"""Mail: sealed mail is stored, announced, listed and read; who may receive it from outside.

Bytes arrive sealed (`edges.sealing`) and leave sealed. No link frame and no SMTP reply code:
handlers and `edges.smtp` translate.
"""
