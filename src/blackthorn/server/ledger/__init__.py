"""The ledger: verifies and stores chains, builds epochs, has them cosigned, answers lookups.

Nothing is shown before witnesses have cosigned it, and what was shown is never taken back. No link
frame: handlers translate.
"""
