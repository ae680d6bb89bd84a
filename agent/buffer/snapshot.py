"""What the ring holds at one moment, as views: a pre-roll without a copy.

The views are valid until the ring's next push. Who needs them longer takes `detached`, one copy of it all.
"""

from dataclasses import dataclass

from agent.buffer.packet import Packet


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Packets of the ring at one moment, without a copy: valid until the next push.

    Attributes:
        first: sequence number of the first one; it is a key frame.
        times_ns: capture time of each.
        keyframes: whether each is a key frame.
        starts, ends: where each lies in `buffer`.
        buffer: the whole ring's buffer, read-only.
    """

    first: int
    times_ns: list[int]
    keyframes: list[bool]
    starts: list[int]
    ends: list[int]
    buffer: memoryview

    def __len__(self) -> int:
        return len(self.times_ns)

    def regions(self) -> tuple[memoryview, ...]:
        """Return the bytes of all packets, in order, as at most two views."""
        if not self.starts:
            return ()
        begin, end = self.starts[0], self.ends[-1]
        if begin < end:
            return (self.buffer[begin:end],)
        turn = max(range(len(self.starts)), key=self.starts.__getitem__)
        return (self.buffer[begin : self.ends[turn]], self.buffer[:end])

    def packets(self) -> list[Packet]:
        """Return a view of each packet: valid until the next push."""
        buffer = self.buffer
        return [
            Packet(buffer[start:end], time_ns, keyframe)
            for start, end, time_ns, keyframe in zip(
                self.starts, self.ends, self.times_ns, self.keyframes, strict=True
            )
        ]

    def detached(self) -> list[Packet]:
        """Return the packets over a copy of their own, which outlives the ring."""
        regions = self.regions()
        copy = memoryview(b"".join(regions))
        first_bytes = len(regions[0]) if regions else 0
        begin = self.starts[0] if regions else 0
        packets = []
        for start, end, time_ns, keyframe in zip(
            self.starts, self.ends, self.times_ns, self.keyframes, strict=True
        ):
            shift = -begin if start >= begin else first_bytes
            packets.append(Packet(copy[start + shift : end + shift], time_ns, keyframe))
        return packets
