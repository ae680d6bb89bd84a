"""The one thing that flows through this room: an encoded frame with its own time."""

from typing import NamedTuple, Protocol


class Encoded(Protocol):
    """An encoded frame, whoever made it.

    Attributes are read-only: data (one access unit, Annex B, contiguous), capture_ns (CLOCK_BOOTTIME),
    is_keyframe (decoding can start here).
    """

    @property
    def data(self) -> memoryview:
        """The access unit."""
        ...

    @property
    def capture_ns(self) -> int:
        """CLOCK_BOOTTIME at which the frame was taken, in nanoseconds."""
        ...

    @property
    def is_keyframe(self) -> bool:
        """Decoding can start here."""
        ...


class Packet(NamedTuple):
    """An encoded frame that came out of the ring."""

    data: memoryview
    capture_ns: int
    is_keyframe: bool
