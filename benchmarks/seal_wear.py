"""What a recorded minute costs the card: bytes written and fsyncs, index and log included, and of an idle one.

Runs the real writer and the real vault's store under strace and counts; nothing is timed.
Run: python -m benchmarks.seal_wear [megabytes a segment]
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from agent.buffer.segment_files import SegmentFolder
from agent.core.strict_json import parse
from tests.buffer.power_cut_workload import mark
from tests.fakes.buffer_store import meta, sealed
from tests.fakes.power_cut import MARK
from tests.fakes.vault_rig import Rig

SEGMENTS = 200  # enough for an automatic checkpoint, if there were one


def work(folder: Path, size: int) -> None:
    """Seal, write and index segments, then do nothing."""
    rig = Rig(folder)
    rig.record()
    private = rig.phone.open_key
    device = parse((rig.config.device.state_dir / "recipients.json").read_bytes(), max_bytes=65_536)
    assert isinstance(device, dict)
    film = bytes(size)
    with SegmentFolder(rig.config.device.state_dir / "segments") as store:
        mark("begin")
        for n in range(SEGMENTS):
            rig.clock.pass_s(4)
            now_ms = rig.clock.utc_ms()
            one = meta(device=device["device"], n=n, start_ms=now_ms, end_ms=now_ms + 4000)
            sidecar, file = sealed(one, film, private)
            store.write(sidecar, file)
            rig.vault.store.sealed(sidecar.id)
            rig.settle()
    mark("idle")
    rig.pass_s(300)
    mark("end")
    rig.close()


def count(trace: str) -> dict[str, tuple[int, int, int]]:
    """Return (calls of write, bytes, fsyncs) for the time after each mark, of this program's files only."""
    part = ""
    counts: dict[str, list[int]] = {}
    for line in trace.splitlines():
        if (found := re.search(re.escape(MARK) + r"(\w+)", line)) is not None:
            part = found[1]
            counts[part] = [0, 0, 0]
        elif part and (asked := re.search(r" (?:write|pwrite64)\(\d+</.*\"(?:\.\.\.)?, (\d+)", line)) is not None:
            counts[part][0] += 1
            counts[part][1] += int(asked[1])
        elif part and re.search(r" (fsync|fdatasync)\(", line):
            counts[part][2] += 1
    return {name: (calls, size, syncs) for name, (calls, size, syncs) in counts.items()}


def main() -> None:
    if len(sys.argv) > 2:
        work(Path(sys.argv[1]), int(sys.argv[2]))
        return
    size = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        home, log = Path(name) / "home", Path(name) / "trace"
        home.mkdir()
        calls = "trace=write,pwrite64,fsync,fdatasync,access,faccessat"
        tracer = ["strace", "-f", "-y", "-s", "100", "-e", calls, "-e", "signal=none", "-o", str(log)]
        subprocess.run([*tracer, sys.executable, "-m", "benchmarks.seal_wear", str(home), str(size)], check=True)
        counts = count(log.read_text("utf-8", "replace"))
    _, written, syncs = counts["begin"]
    payload = SEGMENTS * size
    print(f"{SEGMENTS} segments of {size / 1e6} MB: {syncs / SEGMENTS:.2f} fsyncs a segment  (limit 4)")
    print(f"bytes written / bytes of film: {written / payload:.4f}  (limit 1.05)")
    _, idle_bytes, idle_syncs = counts["idle"]
    print(f"five idle minutes: {idle_bytes} bytes, {idle_syncs} fsyncs")


if __name__ == "__main__":
    main()
