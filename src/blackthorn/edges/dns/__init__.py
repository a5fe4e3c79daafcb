"""The domain name system: `resolver` answers `ports.dns` by dnspython, `cache` keeps answers.

Never here: what a record means for mail.
"""
