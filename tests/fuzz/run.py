"""`python -m tests.fuzz.run [--seconds N] [TARGET …]`: coverage-guided fuzzing of every parser of foreign bytes.

N seconds are shared by all targets; each runs in a process of its own, as many at once as there are cores. The
corpus grows in out/fuzz/<target> and is used again. What crashes a target is put into tests/fuzz/crashes/<target>,
where it becomes a test. Exit 0 when no invariant was broken, 1 when one was, 2 without atheris.
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from tests.fuzz.targets import CRASHES, names, write_corpus

ROOT: Final = Path(__file__).parents[2]
CORPUS: Final = ROOT / "out" / "fuzz"
MIN_SECONDS: Final = 5
GRACE_SECONDS: Final = 120  # to start, to read the corpus and to stop
OPTIONS: Final = (
    *("-timeout=10", "-rss_limit_mb=2048", "-max_len=32768", "-print_final_stats=1"),
    f"-dict={Path(__file__).with_name('protocol.dict')}",
)


def fuzz(name: str, seconds: int) -> tuple[bool, str]:
    """Fuzz one target and return whether its invariant held, with a line or a report to print."""
    crashes = CRASHES / name
    count = write_corpus(name, CORPUS / name)
    command = [sys.executable, "-m", "tests.fuzz.guided", name, f"-max_total_time={seconds}", *OPTIONS]
    command += [f"-artifact_prefix={CORPUS}/crash-{name}-", str(CORPUS / name)]
    allowed_s = seconds + GRACE_SECONDS
    run = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=allowed_s, check=False
    )
    if run.returncode == 0:
        executed = re.findall(r"number_of_executed_units: (\d+)", run.stderr)
        features = re.findall(r" ft: (\d+)", run.stderr)
        return True, f"{name}: {executed[-1]} inputs in {seconds} s from {count} seeds, {features[-1]} features"
    for found in CORPUS.glob(f"crash-{name}-*"):
        crashes.mkdir(parents=True, exist_ok=True)
        found.rename(crashes / found.name.rpartition("-")[2])
    return False, f"{name}: BROKEN, the input is in {crashes.relative_to(ROOT)}\n{run.stderr[-3000:]}"


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, default=int(os.environ.get("FUZZ_SECONDS", "60")))
    parser.add_argument("targets", nargs="*", choices=[[], *names()], default=[])
    options = parser.parse_args(words)
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: python -m pip install atheris", file=sys.stderr)
        return 2
    targets = options.targets or names()
    workers = min(len(os.sched_getaffinity(0)), len(targets))
    seconds = max(MIN_SECONDS, options.seconds * workers // len(targets))
    held = True
    with ThreadPoolExecutor(workers) as pool:
        for ok, report in pool.map(lambda name: fuzz(name, seconds), targets):
            held &= ok
            print(report, flush=True)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
