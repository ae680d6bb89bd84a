"""Text that a person is shown: protocol section 1, *text*.

The rules keep a sender from showing one thing and meaning another: no control, format or invisible
characters, no look-alike spaces, no piles of combining marks, and where asked for one script only.
"""

import unicodedata
from typing import Final

# The protocol sets no length for what the directory names (section 4); device, page and verifier take the same.
MAX_DIRECTORY_TEXT: Final = 200

_VARIATION: Final = frozenset([*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), 0x180B, 0x180C, 0x180D, 0x180F])
_BLANK_LETTERS: Final = frozenset([0x115F, 0x1160, 0x3164, 0xFFA0, 0x2800])
_MAX_MARKS: Final = 2
_JAPANESE: Final = frozenset({"CJK", "HIRAGANA", "KATAKANA"})
_KOREAN: Final = frozenset({"CJK", "HANGUL"})


def _bad_character(char: str, *, lines: int) -> bool:
    if char == "\n":
        return lines == 1
    category = unicodedata.category(char)
    if category[0] == "C" or category in {"Zl", "Zp"} or (category == "Zs" and char != " "):
        return True
    return ord(char) in _VARIATION or ord(char) in _BLANK_LETTERS


def _piles_marks(value: str, signs: set[str]) -> bool:
    combining = {char for char in signs if unicodedata.category(char) in {"Mn", "Me"}}
    if not combining:
        return False
    marks = 0
    for char in value:
        marks = marks + 1 if char in combining else 0
        if marks > _MAX_MARKS:
            return True
    return False


def is_one_script(value: str) -> bool:
    """Say whether all letters share one script, as the first word of their Unicode name tells it."""
    scripts = {
        unicodedata.name(char, "?").split(" ")[0]
        for char in value
        if unicodedata.category(char)[0] == "L" and unicodedata.category(char) != "Lm"
    }
    return len(scripts) <= 1 or scripts <= _JAPANESE or scripts <= _KOREAN


def is_text(value: object, *, limit: int, lines: int = 1, one_script: bool = False) -> bool:
    r"""Say whether `value` may be shown to a person.

    Args:
        value: what claims to be text.
        limit: the most code points.
        lines: the most lines; with 1 no line feed is allowed.
        one_script: whether all letters must be of one script.
    """
    if not isinstance(value, str) or not 1 <= len(value) <= limit:
        return False
    if value != value.strip() or not unicodedata.is_normalized("NFC", value):
        return False
    signs = set(value)  # a text has few different ones, and looking one up is what costs
    if value.count("\n") >= lines or any(_bad_character(char, lines=lines) for char in signs):
        return False
    return not _piles_marks(value, signs) and (not one_script or is_one_script(value))
