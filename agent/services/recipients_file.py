"""`recipients.json`: to whom the recorder seals. Written by the vault, public keys only; read here.

The last good file is kept: one that is missing, torn or odd changes nothing but is told once. With no phone and
no recovery key nothing is recorded (protocol section 9): the button alone is no recipient.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.buffer.sealing import Recipient
from agent.core.encoding import unb64
from agent.core.errors import RefusedError
from agent.core.ids import Kid, is_kid, kid_of
from agent.core.keys import load_open_key
from agent.core.segment_file import SegmentClock
from agent.core.strict_json import Json, closed, is_integer, parse

log = logging.getLogger(__name__)

MAX_FILE_BYTES: Final = 65_536
KINDS: Final = frozenset({"phone", "recovery", "button"})
_KEYS: Final = frozenset({"v", "device", "recipients", "floor_s", "suspect"})
_MAX_S: Final = 10**12


@dataclass(frozen=True, slots=True)
class Recipients:
    """What the file says.

    Attributes:
        device: kid of the device.
        recipients: everyone that a segment is sealed to.
        floor_s: UTC before this is wrong (protocol section 16).
        suspect: the vault distrusts UTC.
    """

    device: Kid
    recipients: tuple[Recipient, ...]
    floor_s: int
    suspect: bool

    @property
    def is_enough(self) -> bool:
        """Someone can open what is recorded even after the vault has lost its memory."""
        return any(one.kind != "button" for one in self.recipients)

    def trust(self, utc_ms: int, *, synchronised: bool) -> SegmentClock:
        """Return how far UTC can be trusted for a clip that starts now."""
        if self.suspect:
            return "suspect"
        return "synced" if synchronised and utc_ms >= self.floor_s * 1000 else "unsynced"


def parse_recipients(raw: bytes) -> Recipients:
    """Parse the file.

    Raises:
        RefusedError: E_SIZE, E_JSON, E_SCHEMA, E_KEY.
    """
    value = closed(parse(raw, max_bytes=MAX_FILE_BYTES), _KEYS, "E_SCHEMA", "recipients.json")
    device, entries = value["device"], value["recipients"]
    floor_s, suspect = value["floor_s"], value["suspect"]
    if (
        not is_integer(value["v"], low=1, high=1)
        or not is_kid(device)
        or not isinstance(entries, list)
        or not isinstance(floor_s, int)
        or not is_integer(floor_s, low=0, high=_MAX_S)
        or not isinstance(suspect, bool)
    ):
        raise RefusedError("E_SCHEMA", "a field of recipients.json has the wrong form")
    recipients = tuple(_recipient(one) for one in entries)
    if len({one.kid for one in recipients}) != len(recipients):
        raise RefusedError("E_SCHEMA", "a recipient is named twice")
    return Recipients(device, recipients, floor_s, suspect)


def _recipient(value: Json) -> Recipient:
    fields = closed(value, frozenset({"kid", "pub", "kind"}), "E_SCHEMA", "a recipient")
    try:
        pub = unb64(fields["pub"], length=32)
    except ValueError as exc:
        raise RefusedError("E_SCHEMA", f"a recipient's key is {exc}") from exc
    load_open_key(pub)
    kid, kind = fields["kid"], fields["kind"]
    if kid != kid_of(pub) or not isinstance(kind, str) or kind not in KINDS:
        raise RefusedError("E_KEY", "a recipient's kid or kind is wrong")
    return Recipient(kid_of(pub), pub, kind)


class RecipientsFile:
    """The file, read again whenever it was replaced. `current` may be read from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._said = ""  # of a file that can't be read, so that it is told once
        self.current: Recipients | None = None

    def poll(self) -> None:
        """Look whether the file was replaced, and take the new one if it is good.

        One that could not be read is looked at again, one that is odd is not: whom it names may have changed.
        """
        try:
            stat = self._path.stat()
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if seen == self._seen:
                return
            with self._path.open("rb") as file:
                raw = file.read(MAX_FILE_BYTES + 1)
            self._seen, self._said = seen, ""
            self.current = parse_recipients(raw)
        except FileNotFoundError:
            self._seen = None
        except (OSError, RefusedError) as exc:
            if str(exc) != self._said:
                kept = "keeping the last good one" if self.current else "nothing is recorded"
                log.warning("recorder: %s: %s; %s", self._path, exc, kept)
            self._said = str(exc)
