"""Commands about OpenPGP: `mail certificate` of the user's own, `mail keys` of people outside."""
