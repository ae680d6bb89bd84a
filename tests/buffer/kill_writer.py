"""What the kill test runs: a process that forks writers and kills each with SIGKILL at a random moment.

A program of its own, because a fork of the test process would fork its threads' locks too.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.buffer.segment_files import SegmentFolder
from tests.fakes.buffer_store import meta, sealed

FILM = bytes(range(256)) * 800


def write_for_ever(folder: Path, told: int) -> None:
    """Write segments; say the id of each that is durably there."""
    key = X25519PrivateKey.generate()
    with SegmentFolder(folder) as store:
        while True:
            sidecar, file = sealed(meta(), FILM, key)
            store.write(sidecar, file)
            os.write(told, sidecar.id.encode())


def main(folder: Path, runs: int) -> None:
    """Kill `runs` writers; after each, everything told is there and whole, and nothing is unexplained."""
    chance = random.Random(runs)
    told_bytes = 0
    for _ in range(runs):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            write_for_ever(folder, writer)
        os.close(writer)
        time.sleep(chance.uniform(0.001, 0.2))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reader, "rb") as pipe:
            told = pipe.read().decode()
        ids = {told[at : at + 32] for at in range(0, len(told), 32)}
        told_bytes += len(told)
        with SegmentFolder(folder) as store:
            scan = store.scan()
            assert ids <= set(scan.complete), "a segment that was told is gone"
            assert not scan.foreign + scan.lone, scan
            assert len(scan.half) <= 2
            for one in scan.complete:
                store.check(one)
            store.remove(scan.complete)
            store.remove_half(scan.half)
    print(f"{runs} writers killed, {told_bytes // 32} segments told")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
