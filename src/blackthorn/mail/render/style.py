"""What an element's style says of its text (CSS, `style` attributes only): hidden, struck, spaced.

Style sheets are not evaluated, so that at worst too much is shown.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

_MAX_STYLE_CHARS: Final = 4_000
_NUMBER: Final = re.compile(r"-?\d{0,6}(?:\.\d{0,6})?")
_UNREADABLE_PIXELS: Final = 2.0
"""Text of this font size is there for programs, as the line that mailbox lists preview."""
_STRUCK: Final = ("s", "strike", "del")
_PREFORMATTED: Final = ("pre", "listing", "xmp", "plaintext", "textarea")
_SPECIAL: Final = (*_STRUCK, *_PREFORMATTED)
_APART: Final = frozenset(("float", "padding", "padding-left", "margin", "margin-left", "position"))


@dataclass(frozen=True, slots=True)
class Style:
    """What a child inherits. `gone` hides a whole subtree; the others may be undone inside it.

    `spreads` its children, each of which is then `spread`, are laid out apart from each other.
    """

    gone: bool = False
    invisible: bool = False
    tiny: bool = False
    preformatted: bool = False
    struck: bool = False
    spreads: bool = False
    spread: bool = False

    @property
    def hidden(self) -> bool:
        return self.gone or self.invisible or self.tiny


def inherit(style: Style, tag: str, attributes: Mapping[str, str]) -> Style:
    """The style of an element in one of `style`."""
    if style.spreads or style.spread:
        style = replace(style, spreads=False, spread=style.spreads)
    if "style" not in attributes and "hidden" not in attributes and tag not in _SPECIAL:
        return style
    css = declarations(attributes.get("style", ""))
    size = css.get("font-size", "")
    visibility = css.get("visibility", "")
    space = css.get("white-space", "")
    return replace(
        style,
        gone=style.gone or "hidden" in attributes or _is_gone(css),
        invisible=visibility in ("hidden", "collapse") if visibility else style.invisible,
        tiny=_is_tiny(size) if size else style.tiny,
        preformatted=_is_preformatted(space, tag, inherited=style.preformatted),
        spreads=css.get("display", "").endswith(("flex", "grid")),
        struck=style.struck or tag in _STRUCK or "line-through" in css.get("text-decoration", ""),
    )


def is_apart(attributes: Mapping[str, str]) -> bool:
    """Whether an inline element is set apart from its neighbours, so that words must not touch."""
    css = declarations(attributes.get("style", "")) if "style" in attributes else {}
    display = css.get("display", "inline")
    return display not in ("inline", "none", "contents") or not _APART.isdisjoint(css)


def declarations(text: str) -> dict[str, str]:
    """Property → value, in lower case; the last of a name counts."""
    found: dict[str, str] = {}
    for declaration in text[:_MAX_STYLE_CHARS].lower().split(";"):
        name, colon, value = declaration.partition(":")
        if colon:
            found[name.strip()] = value.replace("!important", "").strip()
    return found


def _is_gone(css: Mapping[str, str]) -> bool:
    if css.get("display") == "none" or _number(css.get("opacity", "1")) == 0:
        return True
    if css.get("color") == "transparent":
        return True
    sizes = (css.get("max-height", "1"), css.get("height", "1"), css.get("max-width", "1"))
    return css.get("overflow") == "hidden" and any(_number(size) == 0 for size in sizes)


def _is_tiny(size: str) -> bool:
    number = _number(size)
    pixels = size.endswith(("px", "pt")) or not size.strip("0123456789.")
    return number == 0 or (pixels and number is not None and number < _UNREADABLE_PIXELS)


def _is_preformatted(space: str, tag: str, *, inherited: bool) -> bool:
    if space:
        return space.startswith(("pre", "break-spaces"))
    return inherited or tag in _PREFORMATTED


def _number(value: str) -> float | None:
    found = _NUMBER.match(value)
    try:
        return float(found[0]) if found else None
    except ValueError:
        return None
