"""The vault's end of the recorder: what it says of itself, and the visitor's bell that is told to it."""

from typing import Final

from agent.core.errors import RefusedError, TroubleError
from agent.core.strict_json import Json
from agent.services.vault.house import House
from agent.services.wire import Link

MAX_FAULTS: Final = 16
MAX_FAULT: Final = 40


class RecorderDesk:
    """Holds the link to the recorder, if there is one."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._link: Link | None = None
        self.recording = False
        self.said: dict[str, Json] = {}
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
            self.recording = False
            self._house.set_faults("recorder", ["recorder-down"])

    def status(self, args: dict[str, Json]) -> None:
        """Take what the recorder says of itself.

        Raises:
            RefusedError: E_SCHEMA.
        """
        faults = args.get("faults", [])
        if not isinstance(faults, list) or len(faults) > MAX_FAULTS:
            raise RefusedError("E_SCHEMA", "faults: a list of codes")
        codes = [one for one in faults if isinstance(one, str) and len(one) <= MAX_FAULT]
        was, self.recording = self.recording, args.get("recording") is True
        self.said = args
        self._house.set_faults("recorder", codes)
        if was != self.recording:
            self._house.publish("status", {})

    def bell(self) -> None:
        """Tell the recorder that a visitor pressed the bell."""
        if self._link is not None:
            try:
                self._link.tell("press")
            except TroubleError:
                return  # it went just now; the press is in no clip
