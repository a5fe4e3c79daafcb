"""Safe text of a hostile mail: header fields, the best text part, names of attachments.

Never raises, fetches nothing. Never here: sealed bytes, files.
"""
