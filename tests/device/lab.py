"""What all tests on real parts share: where they keep what they build, how they install what they need."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def folder() -> Path:
    """Where trees are kept: $DOORBELL_LAB, or /var/tmp/doorbell-lab; never in the repository."""
    return Path(os.environ.get("DOORBELL_LAB", "/var/tmp/doorbell-lab")).resolve()


def run(*command: str | Path) -> None:
    """Run a command; what it prints is shown only when it fails, and then this process ends."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=quiet)
    if done.returncode:
        sys.exit(f"device lab: {command[0]} failed: {(done.stderr or done.stdout)[-2000:]}")


def install(tools: Mapping[str, str]) -> None:
    """Install the packages of those tools that are missing."""
    if "/usr/sbin" not in os.environ["PATH"].split(":"):
        os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [package for tool, package in tools.items() if shutil.which(tool) is None]
    if missing:
        print("device lab: apt installs", *missing, flush=True)
        packages = " ".join(missing).split()
        run("apt-get", "-qq", "update")
        run("apt-get", "-qq", "install", "-y", "--no-install-recommends", *packages)
