"""Decisions of two people: directives, exits, officers, canary. Pure; told by `register`."""
