"""What an element's style says of its text (CSS, `style` attributes only): hidden, struck, spaced.

Style sheets are not evaluated: what they hide is shown, and what they show by `!important` against
an attribute is said to be hidden. A declaration that a browser would not understand counts for
nothing, since it would show the text.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

_MAX_STYLE_CHARS: Final = 4_000
_DECLARATION: Final = re.compile(r"""(?:[^;"'(]++|"[^"]*+"?|'[^']*+'?|\([^)]*+\)?)++""")
"""A semicolon within quotes or brackets ends none."""
_LENGTH: Final = re.compile(r"[+-]?(\d{0,6}(?:\.\d{0,6})?)(%|px|pt|pc|r?em|ex|ch|vh|vw|in|cm|mm)?")
_UNREADABLE_PIXELS: Final = 2.0
"""Text of this font size is there for programs, as the line that mailbox lists preview."""
_STRUCK: Final = ("s", "strike", "del")
_PREFORMATTED: Final = ("pre", "listing", "xmp", "plaintext", "textarea")
_COLOURED: Final = ("a", "button", "mark", "select", "textarea")
"""Elements whose text has a colour of its own in browsers."""
_SPECIAL: Final = frozenset((*_STRUCK, *_PREFORMATTED, *_COLOURED))
_STYLED: Final = frozenset(("style", "hidden", "bgcolor", "color", "background"))
"""Attributes that say how a text looks."""
_WITH_BACKGROUND: Final = ("body", "table", "thead", "tbody", "tfoot", "tr", "td", "th")
"""Elements whose attributes `bgcolor` and `background` count."""
_ELSEWHERE: Final = frozenset(("background-image", "position", "transform"))
_HEX: Final = re.compile(r"#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})")
_RGB: Final = re.compile(
    r"rgba?\( *(\d{1,3}) *, *(\d{1,3}) *, *(\d{1,3}) *(?:, *(\d?\.\d{1,6}|\d) *)?\)", re.ASCII
)
_TRANSPARENT: Final = "transparent"
_APART: Final = frozenset(("float", "padding", "padding-left", "margin", "margin-left", "position"))


@dataclass(frozen=True, slots=True)
class Style:
    """What a child inherits. `gone` hides a whole subtree; the others may be undone inside it.

    `spreads` its children, each of which is then `spread`, are laid out apart from each other.
    `color` and `background` are "" where unknown; `shadow`: the text is seen without a colour.
    """

    gone: bool = False
    invisible: bool = False
    tiny: bool = False
    preformatted: bool = False
    struck: bool = False
    spreads: bool = False
    spread: bool = False
    color: str = ""
    background: str = ""
    shadow: bool = False

    @property
    def hidden(self) -> bool:
        return self.gone or self.invisible or self.tiny or self._is_colourless

    @property
    def _is_colourless(self) -> bool:
        """Whether the text has no colour, or that of what lies behind it."""
        same = bool(self.color) and self.color == self.background
        return not self.shadow and (same or self.color == _TRANSPARENT)


def inherit(style: Style, tag: str, attributes: Mapping[str, str]) -> Style:
    """The style of an element in one of `style`."""
    if style.spreads or style.spread:
        style = replace(style, spreads=False, spread=style.spreads)
    if _STYLED.isdisjoint(attributes) and tag not in _SPECIAL:
        return style
    css = declarations(attributes.get("style", ""))
    size = css.get("font-size", "")
    visibility = css.get("visibility", "")
    space = css.get("white-space", "")
    line = css.get("text-decoration-line", css.get("text-decoration", ""))
    struck = "line-through" in line or (tag in _STRUCK and not line)
    return replace(
        style,
        gone=style.gone or _is_gone(css) or ("hidden" in attributes and "display" not in css),
        invisible=visibility in ("hidden", "collapse") if visibility else style.invisible,
        tiny=_is_tiny(size) if size else style.tiny,
        preformatted=_is_preformatted(space, tag, inherited=style.preformatted),
        spreads=css.get("display", "").endswith(("flex", "grid")),
        struck=style.struck or struck,
        color=_color(style, css, tag, attributes),
        background=_background(style, css, tag, attributes),
        shadow=_has_shadow(style, css),
    )


def is_apart(attributes: Mapping[str, str]) -> bool:
    """Whether an inline element is set apart from its neighbours, so that words must not touch."""
    css = declarations(attributes.get("style", "")) if "style" in attributes else {}
    display = css.get("display", "inline")
    return display not in ("inline", "none", "contents") or not _APART.isdisjoint(css)


def declarations(text: str) -> dict[str, str]:
    """Property → value, in lower case; the last of a name counts, important ones first."""
    found: dict[str, str] = {}
    important: dict[str, str] = {}
    for name, value in _declarations(text[:_MAX_STYLE_CHARS].lower()):
        bare = value.removesuffix("important").rstrip()
        if bare != value and bare.endswith("!"):
            important[name] = bare[:-1].rstrip()
        else:
            found[name] = value
    return found | important


def _declarations(text: str) -> Iterator[tuple[str, str]]:
    for declaration in _DECLARATION.findall(text):
        name, colon, value = declaration.partition(":")
        if colon:
            yield name.strip(), value.strip()


def _is_gone(css: Mapping[str, str]) -> bool:
    if css.get("display") == "none" or _length(css.get("opacity", "1")) == 0:
        return True
    sizes = (css.get("max-height", "1"), css.get("height", "1"), css.get("max-width", "1"))
    return css.get("overflow") == "hidden" and any(_length(size) == 0 for size in sizes)


def _color(style: Style, css: Mapping[str, str], tag: str, attributes: Mapping[str, str]) -> str:
    """The text's colour; unknown where a browser has another by itself, as for links."""
    inherited = "" if tag in _COLOURED else style.color
    if "-webkit-text-fill-color" in css:
        return ""
    if "color" in css:
        return inherited if css["color"] == "inherit" else _colour(css["color"])
    if tag == "font" and "color" in attributes:
        return _colour(attributes["color"], attribute=True)
    return inherited


def _background(
    style: Style, css: Mapping[str, str], tag: str, attributes: Mapping[str, str]
) -> str:
    """The colour behind a text; unknown before a picture, and where it may lie elsewhere."""
    of_table = attributes if tag in _WITH_BACKGROUND else {}
    if not _ELSEWHERE.isdisjoint(css) or "background" in of_table:
        return ""
    given = [css[name] for name in ("background", "background-color") if name in css]
    if len(given) > 1:
        return ""
    if given:
        seen_through = given[0] in ("none", "inherit") or _colour(given[0]) == _TRANSPARENT
        return style.background if seen_through else _colour(given[0])
    if "bgcolor" in of_table:
        return _colour(of_table["bgcolor"], attribute=True)
    return style.background


def _has_shadow(style: Style, css: Mapping[str, str]) -> bool:
    """Whether a text without a colour is seen by its shadow, or cut out of its background."""
    if "text" in css.get("background-clip", "") + css.get("-webkit-background-clip", ""):
        return True
    return css["text-shadow"] != "none" if "text-shadow" in css else style.shadow


def _colour(written: str, *, attribute: bool = False) -> str:
    """`#rrggbb`, "transparent", or "" for any other, and for what a browser may not understand."""
    bare = written.strip().lower()
    bare = {"white": "#ffffff", "black": "#000000"}.get(bare, bare)
    if found := _RGB.fullmatch(bare):
        if found[4] is not None and not float(found[4]):
            return _TRANSPARENT
        whole = found[4] is None or float(found[4]) == 1
        parts = [int(found[at]) for at in (1, 2, 3)]
        return "#" + bytes(parts).hex() if whole and max(parts) < 256 else ""
    found = _HEX.fullmatch(f"#{bare}" if attribute and not bare.startswith("#") else bare)
    if not found:
        return _TRANSPARENT if bare == _TRANSPARENT else ""
    digits = found[1] if len(found[1]) > 4 else "".join(2 * digit for digit in found[1])
    if len(digits) == 6 or digits[6:] == "ff":
        return f"#{digits[:6]}"
    return _TRANSPARENT if digits[6:] == "00" else ""


def _is_tiny(size: str) -> bool:
    number = _length(size)
    pixels = size.endswith(("px", "pt")) or not size.strip("0123456789.")
    return number == 0 or (pixels and number is not None and number < _UNREADABLE_PIXELS)


def _is_preformatted(space: str, tag: str, *, inherited: bool) -> bool:
    if space:
        return space.startswith(("pre", "break-spaces"))
    return inherited or tag in _PREFORMATTED


def _length(value: str) -> float | None:
    """The number of a length or share; None for what is none."""
    found = _LENGTH.fullmatch(value)
    try:
        return float(found[1]) if found else None
    except ValueError:
        return None
