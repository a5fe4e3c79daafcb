"""Pads messages to size classes, which hide their length."""

from collections.abc import Callable

_SMALLEST = 256

Padding = int | Callable[[int], int]
"""A multiple to pad to (0 or 1: none), or a function from a size to the padded size."""


def size_class(size: int) -> int:
    """The padded size: powers of two from 256 to 4,096 bytes, then at most an eighth more."""
    if size <= _SMALLEST:
        return _SMALLEST
    above = 1 << (size - 1).bit_length()
    if above <= 4096:
        return above
    step = above >> 4
    return -(-size // step) * step


def padded_size(padding: Padding) -> Callable[[int], int]:
    if not isinstance(padding, int):
        return padding
    multiple = max(1, padding)
    return lambda size: -(-size // multiple) * multiple
