"""Text that a person may be shown: section 1."""

import pytest

from agent.core import text


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("plain", True),
        ("two\nlines", False),
        (" leading", False),
        ("trailing ", False),
        ("", False),
        ("x" * 21, False),
        ("zero\u200bwidth", False),
        ("right\u202eleft", False),
        ("no\u00a0break", False),
        ("line\u2028separator", False),
        ("e\u0301", False),  # not NFC
        ("\u1160", False),
        ("\u2800x", False),
        ("heart\ufe0f", False),
        ("q\u0300\u0301\u0302", False),  # a pile of marks
        ("q\u0300\u0301", True),
        (7, False),
    ],
)
def test_text_that_may_be_shown(value: object, good: bool) -> None:
    assert text.is_text(value, limit=20) is good


def test_lines_are_counted() -> None:
    assert text.is_text("a\nb", limit=20, lines=2)
    assert not text.is_text("a\nb\nc", limit=20, lines=2)


@pytest.mark.parametrize(
    ("value", "one"),
    [
        ("Rivera", True),
        ("R\u0456vera", False),  # a Cyrillic i
        ("東京タワーひらがな", True),
        ("한국 漢字", True),
        ("ひらがな 한국", False),
        ("J. Rivera 3", True),
    ],
)
def test_one_script_is_asked_for_where_letters_could_deceive(value: str, one: bool) -> None:
    assert text.is_text(value, limit=40, one_script=True) is one
