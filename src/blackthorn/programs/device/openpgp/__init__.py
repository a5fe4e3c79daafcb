"""OpenPGP on a device: the user's certificate for other programs, and those of people outside."""
