"""CPU of packets in RAM to fragmented MP4, against writing the raw packets to a file. 10 s, 30 fps, 4 Mbit/s.

Both sides run in the same rounds, in turn; the figure is the median of the rounds' ratios.
Run: python -m benchmarks.mux_ram
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from agent.buffer.mux_pyav import Muxer
from agent.buffer.packet import Packet

ROUNDS, FRAMES, GOP, FRAME_NS = 60, 300, 60, 33_333_333


def stream() -> tuple[bytes, bytes]:
    """Return extradata and one real key frame."""
    context = av.CodecContext.create("libx264", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 1920, 1080, "yuv420p"
    context.time_base = Fraction(1, 90_000)
    context.options = {"preset": "ultrafast", "tune": "zerolatency"}
    context.flags |= int(av.codec.context.Flags.global_header)
    frame = av.VideoFrame(1920, 1080, "yuv420p")
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.pts = 0
    packet = context.encode(frame)[0]
    assert context.extradata is not None
    return context.extradata, bytes(packet)


def frames() -> list[Packet]:
    """Return 10 s of packets of the usual sizes, mean 16.8 kB, as views; their bytes are random."""
    rng = np.random.default_rng(7)
    sizes = [60_000 if n % GOP == 0 else int(rng.integers(6_000, 26_000)) for n in range(FRAMES)]
    heads = [b"\0\0\0\1\x65" if n % GOP == 0 else b"\0\0\0\1\x41" for n in range(FRAMES)]
    packets = []
    for n, size in enumerate(sizes):
        body = rng.integers(0, 256, size, np.uint8)
        body[body[:-1].nonzero()[0][::2]] |= 1  # sparse zeros, no start code: as an encoder's escaping leaves it
        body[1:][(body[1:] == 0) & (body[:-1] == 0)] = 3
        packets.append(Packet(memoryview(heads[n] + body.tobytes()), n * FRAME_NS, n % GOP == 0))
    return packets


def cpu_ms(run: Callable[[], object]) -> float:
    begin = time.process_time_ns()
    run()
    return (time.process_time_ns() - begin) / 1e6


def main() -> None:
    packets = frames()
    muxer = Muxer(*stream())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "raw.h264"

        def raw() -> None:
            with path.open("wb") as file:
                file.writelines(one.data for one in packets)

        def mux() -> bytes:
            return muxer.mux(packets, clip_ns=0, end_ns=FRAMES * FRAME_NS)

        rounds = [(cpu_ms(mux), cpu_ms(raw)) for _ in range(ROUNDS)][5:]
    muxer.close()
    size = sum(len(one.data) for one in packets)
    print(f"{size / 1e6:.1f} MB: mux {statistics.median(a for a, _ in rounds):.2f} ms CPU, raw write "
          f"{statistics.median(b for _, b in rounds):.2f} ms CPU")  # fmt: skip
    print(f"mux / raw write {statistics.median(a / b for a, b in rounds):.2f}  (limit 1.3)")


if __name__ == "__main__":
    main()
