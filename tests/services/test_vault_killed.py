"""The vault killed with SIGKILL at random moments, in the middle of everything it does: see `kill_vault`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_two_hundred_kills_lose_nothing_that_was_committed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.services.kill_vault", str(tmp_path), "200"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
