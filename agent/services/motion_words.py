"""What the motion detector makes of the picture, in a sentence for the console. Pure.

The recorder says it in a word, `agent.capture.motion.Why`; that these are the same words, a test holds. Nothing of
the detector is imported here: the console needs neither numpy nor a camera.
"""

from collections.abc import Mapping
from typing import Any, Final

WORDS: Final[Mapping[str, str]] = {
    "": "not known yet",
    "still": "nothing moves",
    "learning": "learning how the place looks at rest",
    "motion": "something moves",
    "standing": "somebody or something came in and is still there",
    "small": "something moves, but covers less than [motion] minimum_area",
    "brief": "something appeared, too short yet to count",
    "sway": "something sways, as leaves do: it does not count",
    "light": "only the light changes: it does not count",
    "noise": "rain, snow or a dark picture's noise: it does not count",
    "shake": "the camera shakes: it does not count",
}


def motion_line(said: Mapping[str, Any]) -> str:
    """Say what the recorder told as `motion` in its status."""
    text = WORDS.get(str(said.get("why", "")), "the recorder says something that this version does not know")
    if said.get("why"):
        text += f" ({said.get('score_milli', 0) / 10:.0f} % of what starts a clip)"
    return f"{text}; a clip is being recorded" if said.get("clip") else text
