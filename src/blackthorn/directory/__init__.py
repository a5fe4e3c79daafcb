"""The verifiable map of users to identity chains, and the entries of its log. Pure."""
