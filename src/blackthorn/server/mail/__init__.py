"""Mail: sealed mail is stored, told of, listed and read; who may receive it from outside.

Nothing here sees a mail in the clear: bytes arrive sealed (`edges.sealing`) and leave sealed.
No link frame and no SMTP reply code: handlers and `edges.smtp` translate.
"""
