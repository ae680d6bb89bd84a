"""What a flood costs the vault: 10,000 requests in a burst, by request, against the same few one by one.

Both sides in one run, CPU time, medians of ratios. Memory: resident after the flood against before it.

    python -m benchmarks.vault_flood
"""

import gc
import resource
import statistics
import tempfile
import time
from pathlib import Path

from tests.fakes.platform import FakePlatform
from tests.fakes.vault_rig import Rig

FLOOD = 10_000
FEW = 200
ROUNDS = 3
RATIO_TARGET = 1.3
MEMORY_TARGET = 1.05


def _messages(rig: Rig, count: int) -> list[bytes]:
    """Return different requests that dispatch signed and a stranger, not the agency: refused at check 7."""
    stranger = FakePlatform(rig.platform.now_s, dispatch=rig.platform.dispatch)
    now_s = rig.clock.utc_ms() // 1_000
    times = {"from_s": now_s - 600, "to_s": now_s - 10, "iat_s": now_s - 5}
    return [stranger.request(**times)[1] for _ in range(count)]


def _cpu_s(rig: Rig, messages: list[bytes]) -> float:
    """Return the CPU time of these messages, each."""
    start = time.process_time()
    for raw in messages:
        rig.vault.arrivals.message("req", raw)
    rig.settle()
    return (time.process_time() - start) / len(messages)


def _resident_bytes() -> int:
    """Return the resident memory of this process."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def main() -> None:
    """Print both figures with their targets."""
    ratios, memory = [], []
    for _ in range(ROUNDS):
        rig = Rig(Path(tempfile.mkdtemp()))
        rig.record()
        rig.ask()
        flood, few = _messages(rig, FLOOD), _messages(rig, FEW)
        _cpu_s(rig, few[:50])
        gc.collect()
        resident = _resident_bytes()
        alone = _cpu_s(rig, few[50:])
        burst = _cpu_s(rig, flood)
        ratios.append(burst / alone)
        gc.collect()
        memory.append(_resident_bytes() / resident)
        rig.close()
    print(f"a request in a burst of {FLOOD} / one of {FEW}: {statistics.median(ratios):.2f} (<= {RATIO_TARGET})")
    print(f"resident memory after the flood / before it: {statistics.median(memory):.3f} (<= {MEMORY_TARGET})")


if __name__ == "__main__":
    main()
