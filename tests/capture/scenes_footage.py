"""Where real footage is, if it is anywhere: it is not part of the repository.

`DOORBELL_FOOTAGE` names the folder; else a folder beside the checkout is tried.
Debian's package opencv-doc has two more clips; dpkg knows where.
"""

import json
import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


def footage(name: str) -> Path:
    """Return the path of a clip of the footage folder; skip the test where it is absent."""
    folder = Path(os.environ.get("DOORBELL_FOOTAGE", _ROOT.parent / "shared" / "data"))
    path = folder / name
    if not path.is_file():
        pytest.skip(f"real footage {name} is absent; set DOORBELL_FOOTAGE to the folder that has it")
    return path


def labels(name: str) -> list[tuple[int, int]]:
    """Return the labelled events of a clip, inclusive frame ranges, by eye, give or take three frames."""
    table = json.loads(footage("labels.json").read_text())
    return [(first, last) for first, last in table[name]["events"]]


@cache
def _opencv_doc() -> tuple[str, ...]:
    try:
        done = subprocess.run(["dpkg-query", "-L", "opencv-doc"], capture_output=True, text=True, check=False)
    except OSError:
        return ()
    return tuple(done.stdout.split("\n"))


def opencv_clip(name: str) -> Path:
    """Return the path of one of opencv-doc's clips; skip the test where the package is not installed."""
    for line in _opencv_doc():
        if line.endswith("/" + name) and Path(line).is_file():
            return Path(line)
    pytest.skip(f"{name} is absent; install Debian's package opencv-doc")
