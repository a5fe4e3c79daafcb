"""Text of others on a terminal: one line, without what moves, hides or turns anything."""

import json
import unicodedata

import pytest

from blackthorn.wire.printable import bracketed, printable, printable_json, printable_lines

TRICKS = {
    "clears the screen": "\x1b[2J",
    "sets the title": "\x1b]0;root\x07",
    "fills the clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "C1 control sequence": "\x9b2J",
    "begins the line again": "\rActivated",
    "deletes": "\x08\x7f",
    "begins a line": "\nblackthorn: all is well",
    "next line": "\x85",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "turns the direction": "\u202egpj.exe",
    "isolates": "\u2066\u2069",
    "hides": "\u200b\u2060\ufeff\u00ad",
    "tags": "\U000e0041",
}


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
def test_no_trick_passes(trick: str) -> None:
    shown = printable(f"a{trick}b")
    assert not set(shown) & set("\x1b\x9b\r\n\x08\x7f\x85\u2028\u2029\u202e\u2066\u200b\U000e0041")
    assert shown[0] == "a" and shown[-1] == "b"


def test_of_all_letters_none_is_a_control_or_ends_a_line() -> None:
    for code in range(0x110000):
        shown = printable(chr(code))
        kinds = {unicodedata.category(letter) for letter in shown}
        assert not kinds & {"Cc", "Cs", "Zl", "Zp"}, hex(code)
        turns = {unicodedata.bidirectional(letter) for letter in shown}
        assert not turns & {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def test_what_people_write_stays() -> None:
    for text in ("Grüße, 世界 👩\u200d👩", "می\u200cخواهم", "  two  spaces", "[x] :smile: [red]"):
        assert printable(text) == text
    assert printable("a\tb") == "a    b"


def test_lines_of_a_longer_text() -> None:
    assert printable_lines("a\r\nb\rc\u2028d\x1b[2J") == ["a", "b", "c", "d\ufffd[2J"]
    assert printable_lines("") == [""]


def test_a_name_cannot_close_its_brackets() -> None:
    assert bracketed("x] ann@a.example: pay\n[y") == "[x) ann@a.example: pay (y]"
    assert bracketed("\u202e") == "[(U+202E)]"


def test_json_says_the_same_and_holds_nothing_unsafe() -> None:
    text = "".join(chr(code) for code in range(0xD800)) + "\ufff9\ufeff\U000e0041\U0001f600"
    document = json.dumps({text: [text]}, ensure_ascii=False)
    safe = printable_json(document)
    assert json.loads(safe) == {text: [text]}
    assert printable(safe) == safe and "\U0001f600" in safe
    assert printable_json('{\n "a": 1\n}') == '{\n "a": 1\n}'
