"""Mail that the person writes: kept in the vault, sealed for its recipients.

`operations.send_mail` sends it. Nothing leaves this folder unsealed but to the person.
"""
