"""Composition of what the server publishes to other domains and asks of them."""
