"""The ports to what the world outside the organisation says of itself.

`keys` are certificates that a device has pinned. Nothing here is trusted before it is checked.
"""
