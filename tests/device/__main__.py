"""`make device-test`: the real picamera2 on libcamera's virtual camera, in a Debian 13 tree of its own.

The tree is built once (build_root, one to two minutes) and kept outside the repository in $DOORBELL_LAB, or
/var/tmp/doorbell-lab; a change of what it is made of builds it anew. Each run copies the package into it, draws
the camera's film there and runs tests/device/inside. Needs root (chroot, mount) and, the first time, apt and pip.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.device.lab import folder, install

HERE = Path(__file__).resolve().parent
HOUSE = HERE.parent.parent
TOOLS = {"debootstrap": "debootstrap", "gcc": "gcc libc6-dev", "unshare": "util-linux"}
PYTHON = "/opt/venv/bin/python"


def main(arguments: list[str]) -> int:
    """Build the tree where it is missing, run the tests inside, return their exit code."""
    if os.geteuid() != 0:
        print("device tests left out: they need root, for chroot and mount")
        return 0
    install(TOOLS)
    root = _built(folder())
    _copy_house(root)
    shutil.rmtree(root / "opt/frames", ignore_errors=True)
    frames = _inside(root, PYTHON, "-m", "tests.device.inside.draw_frames", "/opt/frames")
    if frames:
        return frames
    tests = "/opt/house/tests/device/inside"
    return _inside(root, PYTHON, "-m", "pytest", "-c", f"{tests}/pytest.ini", tests, *arguments)


def _built(lab: Path) -> Path:
    """Return the tree, built from the present recipe."""
    root, mark = lab / "root", lab / "recipe"
    recipe = hashlib.sha256()
    for path in (HERE / "build_root", HERE / "stand_ins/memfd_dma.c", HERE / "stand_ins/virtual.yaml"):
        recipe.update(path.read_bytes())
    if root.is_dir() and mark.is_file() and mark.read_text() == recipe.hexdigest():
        return root
    mark.unlink(missing_ok=True)
    if root.is_dir():
        shutil.rmtree(root)
    subprocess.run([HERE / "build_root", lab], check=True)
    mark.write_text(recipe.hexdigest())
    return root


def _copy_house(root: Path) -> None:
    house = root / "opt/house"
    shutil.rmtree(house, ignore_errors=True)
    skip = shutil.ignore_patterns("__pycache__", "static", "vectors")
    for part in ("agent", "tests/device", "tests/fakes"):
        shutil.copytree(HOUSE / part, house / part, ignore=skip)
    (house / "tests/__init__.py").touch()


def _inside(root: Path, *command: str) -> int:
    """Run a command in the tree, without a network, with /proc of its own; return its exit code."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/root",
        "PYTHONPATH": "/opt/house",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LD_PRELOAD": "/opt/memfd_dma.so",
        "LIBCAMERA_LOG_LEVELS": "*:ERROR",
    }
    words = [f"{name}={value}" for name, value in environment.items()]
    script = 'mount -t proc proc "$0/proc" && exec chroot "$0" /usr/bin/env -i "$@"'
    return subprocess.run(
        ["unshare", "--mount", "--net", "/bin/sh", "-c", script, root, *words, *command], check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
