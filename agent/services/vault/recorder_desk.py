"""The vault's end of the recorder: what it says of itself, and the visitor's bell that is told to it."""

import re
from collections.abc import Callable
from typing import Final

from agent.core.errors import RefusedError, TroubleError
from agent.core.strict_json import MAX_INTEGER, Json, is_integer
from agent.services.vault.house import House
from agent.services.wire import Link

MAX_FAULTS: Final = 16
MAX_MOTION_WHY: Final = 40
STORAGE_FULL: Final = "storage-full"
_FAULT: Final = re.compile(r"[a-z][a-z-]{1,39}")  # nothing that could move a terminal's cursor


class RecorderDesk:
    """Holds the link to the recorder, if there is one.

    Args:
        house: what the vault shares.
        on_full: called while the recorder says that the disk is full.
    """

    def __init__(self, house: House, on_full: Callable[[], None]) -> None:
        self._house = house
        self._on_full = on_full
        self._link: Link | None = None
        self.recording = False
        self.motion: dict[str, Json] = {}
        house.set_faults("recorder", ["recorder-down"])

    def attach(self, link: Link) -> None:
        """Take a new link; the old one is ended."""
        old, self._link = self._link, link
        if old is not None:
            old.close()

    def detached(self, link: Link) -> None:
        """A link has ended."""
        if self._link is link:
            self._link = None
            self.recording, self.motion = False, {}
            self._house.set_faults("recorder", ["recorder-down"])

    def status(self, args: dict[str, Json]) -> None:
        """Take what the recorder says of itself.

        Raises:
            RefusedError: E_SCHEMA.
        """
        faults = args.get("faults", [])
        if not isinstance(faults, list) or len(faults) > MAX_FAULTS:
            raise RefusedError("E_SCHEMA", "faults: a list of codes")
        codes = [one for one in faults if isinstance(one, str) and _FAULT.fullmatch(one)]
        was, self.recording = self.recording, args.get("recording") is True
        self.motion = _motion(args.get("motion"))
        self._house.set_faults("recorder", codes)
        if was != self.recording:
            self._house.publish("status", {})
        if STORAGE_FULL in codes:
            self._on_full()

    def bell(self) -> None:
        """Tell the recorder that a visitor pressed the bell."""
        if self._link is not None:
            try:
                self._link.tell("press")
            except TroubleError:
                return  # it went just now; the press is in no clip


def _motion(said: Json) -> dict[str, Json]:
    """Return of what the recorder says of the picture just what the console shows, in its forms; else nothing."""
    if not isinstance(said, dict):
        return {}
    clip, why, score_milli = said.get("clip"), said.get("why"), said.get("score_milli")
    if (
        not isinstance(clip, bool)
        or not isinstance(why, str)
        or not is_integer(score_milli, low=0, high=MAX_INTEGER)
    ):
        return {}
    return {"clip": clip, "why": why[:MAX_MOTION_WHY], "score_milli": score_milli}
