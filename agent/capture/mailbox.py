"""Between a camera's thread and the one that reads: the newest frame, and every packet since the last one.

A reader that is late gets one newer frame and more packets, never a queue of old frames. Packets are bounded by
number; on overflow they are dropped to the next key frame, so that what comes out can always be decoded, and
each is counted. Only a frame wakes the reader: one wake-up for each frame.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition
from typing import Generic, TypeVar

from agent.capture.source import Packet
from agent.core.errors import TroubleError

MOST_PACKETS = 600  # twenty seconds at 30 fps: longer than the reader may ever take

Frame = TypeVar("Frame")


@dataclass(frozen=True, slots=True)
class Letter(Generic[Frame]):
    """What one wake-up takes.

    Attributes:
        frame: the newest; belongs to the reader from now on.
        capture_ns: its time.
        packets: all since the last letter.
        frames: how many frames it stands for.
        dropped: frames lost since the last letter.
    """

    frame: Frame
    capture_ns: int
    packets: tuple[Packet, ...]
    frames: int
    dropped: int


class Mailbox(Generic[Frame]):
    """Holds at most one frame.

    Args:
        give_back: takes a frame that nobody will read; called outside the lock, from either thread.
    """

    def __init__(self, give_back: Callable[[Frame], object]) -> None:
        self._give_back = give_back
        self._bell = Condition()
        self._frame: tuple[Frame, int] | None = None
        self._packets: list[Packet] = []
        self._frames = self._dropped = 0
        self._waiting_for_key, self._began = True, False
        self._trouble: TroubleError | None = None
        self._closed = False

    def put_packet(self, packet: Packet) -> None:
        """Keep a packet for the next letter. Those before the first key frame are dropped without a count."""
        with self._bell:
            if self._trouble is not None or self._closed:
                return
            if len(self._packets) >= MOST_PACKETS:
                self._dropped += len(self._packets)
                self._packets.clear()
                self._waiting_for_key = True
            if self._waiting_for_key and not packet.is_keyframe:
                self._dropped += self._began
                return
            self._waiting_for_key, self._began = False, True
            self._packets.append(packet)

    def put_frame(self, frame: Frame, capture_ns: int, *, dropped: int = 0) -> None:
        """Hand over a frame and wake the reader; an older one that was not read is given back."""
        with self._bell:
            useless: Frame | None = frame
            if self._trouble is None and not self._closed:
                useless = None if self._frame is None else self._frame[0]
                self._frame = (frame, capture_ns)
                self._frames += 1
                self._dropped += dropped
                self._bell.notify()
        if useless is not None:
            self._give_back(useless)

    def fail(self, trouble: TroubleError) -> None:
        """Let the reader raise `trouble` after what is there; nothing is added, and the first trouble stays."""
        with self._bell:
            self._trouble = self._trouble or trouble
            self._bell.notify()

    def take(self, timeout_s: float) -> Letter[Frame] | None:
        """Wait for a frame; None when none came.

        Raises:
            TroubleError: what `fail` was told, when no frame is left.
        """
        with self._bell:
            self._bell.wait_for(lambda: self._frame is not None or self._trouble is not None, timeout_s)
            if self._frame is None:
                if self._trouble is not None:
                    raise self._trouble
                return None
            frame, capture_ns = self._frame
            letter = Letter(frame, capture_ns, tuple(self._packets), self._frames, self._dropped)
            self._frame = None
            self._packets.clear()
            self._frames = self._dropped = 0
            return letter

    def close(self) -> None:
        """Give back what is left; later frames go straight back."""
        with self._bell:
            self._closed = True
            old, self._frame = self._frame, None
            self._packets.clear()
        if old is not None:
            self._give_back(old[0])
