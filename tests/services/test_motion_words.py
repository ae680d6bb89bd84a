"""What `doorbell status` says of motion."""

import pytest

from agent.capture.motion import Why
from agent.services.motion_words import WORDS, motion_line


def test_every_reason_of_the_detector_has_words_and_no_other_has() -> None:
    assert WORDS.keys() == {"", *Why}


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"clip": False, "motion": False, "score_milli": 0, "why": ""}, "not known yet"),
        (
            {"clip": True, "motion": True, "score_milli": 1520, "why": "motion"},
            "something moves (152 % of what starts a clip); a clip is being recorded",
        ),
        ({"clip": False, "why": "still", "score_milli": 4}, "nothing moves (0 % of what starts a clip)"),
        ({}, "not known yet"),
    ],
)
def test_the_line_is_plain(said: dict[str, object], line: str) -> None:
    assert motion_line(said) == line


def test_a_word_of_another_version_is_not_repeated() -> None:
    assert "\x1b" not in motion_line({"why": "\x1b[2J", "score_milli": 1})
