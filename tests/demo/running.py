"""`python -m demo` as a child of the test, and what is left of it."""

import os
import subprocess
import sys
from pathlib import Path

from demo.doorbell import ROOT

DEMO = [sys.executable, "-m", "demo"]
STARTED: list[subprocess.Popen[str]] = []


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Run the demo with its temporary files and its evidence in `folder`."""
    child = subprocess.Popen(
        [*DEMO, "--out", str(folder / "out"), *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    STARTED.append(child)
    return child


def end_all() -> None:
    """End what a failed test left, so that it fails alone."""
    for child in STARTED:
        if child.poll() is None:
            child.kill()  # its doorbell ends with it
        child.communicate()
    STARTED.clear()


def processes_of(folder: Path) -> list[str]:
    """Every process whose command line names the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(folder) in line:
                found.append(line)
    return found
