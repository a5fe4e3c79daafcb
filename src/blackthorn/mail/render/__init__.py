"""A hostile mail as text that is safe to show: header fields, best text part, attachments.

Never raises whatever the bytes. Never here: fetching, executing, decrypting.
"""
