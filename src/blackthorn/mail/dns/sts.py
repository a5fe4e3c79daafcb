"""The MTA-STS policy of the own domain (RFC 8461, 3.2): the file, and the id in its record."""

import hashlib

from blackthorn.mail.dns.setup import Setup

ID_CHARACTERS = 20
"""Of the policy's hash; an id has at most 32 letters and digits (RFC 8461, 3.1)."""


def policy_text(setup: Setup) -> str:
    """The file that HTTPS serves."""
    lines = ["version: STSv1", f"mode: {setup.sts_mode}"]
    if setup.sts_mode != "none":
        lines.append(f"mx: {setup.host}")
    lines.append(f"max_age: {setup.sts_seconds}")
    return "".join(f"{line}\r\n" for line in lines)


def policy_id(setup: Setup) -> str:
    """Changes when the policy does, so that senders fetch it again."""
    return hashlib.sha256(policy_text(setup).encode()).hexdigest()[:ID_CHARACTERS]
