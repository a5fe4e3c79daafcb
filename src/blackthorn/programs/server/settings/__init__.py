"""Sections of the settings, a module for each subject; `configuration` reads and checks them.

Never here: reading files or the environment.
"""
