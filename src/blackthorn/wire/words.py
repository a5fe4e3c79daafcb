"""Numbers with their nouns, as sentences for people have them."""


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 key`, `2 keys`. `plural` is the noun's, unless it only adds an s."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"
