"""format=flowed (RFC 3676) as the paragraphs that its author wrote, with quotes marked by `> `."""


def unflow(text: str, *, delsp: bool) -> str:
    """Join soft-broken lines of the same quote depth; `delsp`: their last blank is no part of it.

    `text` has LF line ends.
    """
    lines: list[str] = []
    paragraph: list[str] = []
    depth = -1
    for raw in text.split("\n"):
        found, line = _unquoted(raw)
        if paragraph and found != depth:
            lines.append(_quoted(depth, paragraph))
            paragraph = []
        depth = found
        soft = line.endswith(" ") and line != "-- "
        if line == "-- " and paragraph:  # a signature's line stands alone (4.3)
            lines.append(_quoted(depth, paragraph))
            paragraph = []
        paragraph.append(line[:-1] if soft and delsp else line)
        if not soft:
            lines.append(_quoted(depth, paragraph))
            paragraph = []
    if paragraph:
        lines.append(_quoted(depth, paragraph))
    return "\n".join(lines)


def _unquoted(line: str) -> tuple[int, str]:
    """The quote depth, and the line without marks and without the stuffed blank (4.4, 4.5)."""
    text = line.lstrip(">")
    return len(line) - len(text), text.removeprefix(" ")


def _quoted(depth: int, paragraph: list[str]) -> str:
    line = "".join(paragraph)
    return f"{'>' * depth} {line}" if depth else line
