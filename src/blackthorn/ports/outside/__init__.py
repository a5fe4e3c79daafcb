"""The ports to what the world outside the organisation says of itself.

`certificates` are what an address's domain publishes, `keys` those that a device has pinned.
Nothing here is trusted before it is checked.
"""
