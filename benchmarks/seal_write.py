"""Wall time of a sealed, compared and durable segment, against a plain write of the same bytes with one fsync.

Both sides run in the same rounds, in turn, into the same folder; the figure is the median of the rounds' ratios.
Run: python -m benchmarks.seal_write [folder]
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.buffer.sealing import Recipient, draft_segment
from agent.buffer.segment_files import SegmentFolder
from agent.core.ids import Id, Kid, kid_of, new_id
from agent.core.segment_file import Sealer, SegmentMeta

ROUNDS = 60
RECIPIENTS = 3


def meta() -> SegmentMeta:
    return SegmentMeta(
        id=new_id(), clip=new_id(), n=0, start_ms=0, end_ms=4000, clock="synced", boot=Id("b" * 32), mono_ms=0,
        device=Kid("d" * 16), codec="avc1.42C01F", width=1280, height=720, trigger="motion", masked=0, dropped=0,
    )  # fmt: skip


def recipients() -> list[Recipient]:
    publics = [X25519PrivateKey.generate().public_key().public_bytes_raw() for _ in range(RECIPIENTS)]
    return [Recipient(kid_of(pub), pub, "phone") for pub in publics]


def wall_ms(run: Callable[[], None]) -> float:
    begin = time.perf_counter_ns()
    run()
    return (time.perf_counter_ns() - begin) / 1e6


def measure(folder: Path, size: int) -> None:
    film = os.urandom(size)
    sealer, to = Sealer(), recipients()
    plain_fd = os.open(folder, os.O_RDONLY)
    with SegmentFolder(folder) as store, ThreadPoolExecutor(1) as beside:

        def sealed() -> None:
            draft = draft_segment(sealer, meta(), film, beside)
            store.write_proving(draft.meta.id, draft.file, lambda: draft.prove(to))

        def compute() -> None:
            draft_segment(sealer, meta(), film, beside).prove(to)

        def plain() -> None:
            fd = os.open(f"{new_id()}.plain", os.O_WRONLY | os.O_CREAT, dir_fd=plain_fd)
            os.write(fd, film)
            os.fsync(fd)
            os.close(fd)

        rounds = []
        for _ in range(ROUNDS):
            rounds.append((wall_ms(sealed), wall_ms(plain), wall_ms(compute)))
            for name in os.listdir(folder):  # noqa: PTH208 - outside the clock
                os.unlink(folder / name)  # noqa: PTH108 - same
    os.close(plain_fd)
    rounds = rounds[5:]
    sealed_ms, plain_ms, compute_ms = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(a / b for a, b, _ in rounds)
    quiet = min(a for a, _, _ in rounds) / min(b for _, b, _ in rounds)
    alone = statistics.median(c / b for _, b, c in rounds)
    print(
        f"{size / 1e6:4.1f} MB: sealed, compared, durable {sealed_ms:6.2f} ms (proof {compute_ms:5.2f}), "
        f"plain {plain_ms:6.2f} ms; ratio {ratio:.2f}  (limit 1.5), of the quietest rounds {quiet:.2f}, "
        f"of the proof alone {alone:.2f}"
    )


def main() -> None:
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        for size in (1_000_000, 2_000_000, 6_000_000):
            measure(Path(folder), size)


if __name__ == "__main__":
    main()
