"""`python -m tests.device.vm`: `v4l2:` on a real kernel, in a virtual machine without a network.

Debian 13's kernel has a camera that can freeze and break (vivid) and takes USB cameras made in software. It boots
the tree of the boot test (tests.systemd.boot), which it sees read-only, like the repository; there is no disk
image. With KVM where that works, else on an emulated processor. Needs root (for the tree) and, at first, apt.
"""

import contextlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.device import lab
from tests.device.vm.kernel import fetched
from tests.systemd import boot

HERE = Path(__file__).resolve().parent
HOUSE = HERE.parents[2]
TOOLS = {**boot.TOOLS, "qemu-system-x86_64": "qemu-system-x86", "cpio": "cpio"}
UP = "doorbell: up"  # said by init.sh
#: How to run, and how long until it must be up. `max`: all that the processor, or its emulation, can do.
WAYS = {"kvm": 20.0, "tcg,thread=multi": 120.0}
LIMIT_S = 400.0
PASSED = 65  # isa-debug-exit makes 2n + 1 of init.sh's 32 + pytest's exit code


def main(arguments: list[str]) -> int:
    """Fetch what is missing, boot, return the exit code of the tests inside."""
    if os.geteuid() != 0:
        print("tests of v4l2 left out: they need root, for the tree of a virtual machine")
        return 0
    if platform.machine() != "x86_64":
        print("tests of v4l2 left out: their virtual machine is made for x86_64")
        return 0
    lab.install(TOOLS)
    tree = boot.built(lab.folder())
    kernel = fetched(lab.folder(), tree)
    began = time.monotonic()
    for way, up_s in WAYS.items():
        if way == "kvm" and not os.access("/dev/kvm", os.R_OK | os.W_OK):
            continue
        with first_files(kernel, arguments) as files:
            code = run(command(way, kernel, files, tree), up_s)
        if code is not None:
            took_s = time.monotonic() - began
            print(f"v4l2 on a real kernel: {'passed' if code == 0 else 'failed'} in {took_s:.0f} s ({way})")
            return code
    print("v4l2 on a real kernel: the machine did not start")
    return 1


@contextlib.contextmanager
def first_files(kernel: Path, words: list[str]) -> Iterator[Path]:
    """What the kernel starts from: init.sh, modules, busybox, and the words for pytest."""
    with tempfile.TemporaryDirectory(prefix="doorbell-vm-") as name:
        root = Path(name) / "root"
        for folder in ("bin", "proc", "sys", "dev", "tree"):
            (root / folder).mkdir(parents=True)
        shutil.copy(HERE / "init.sh", root / "init")
        (root / "init").chmod(0o755)
        (root / "words").write_text("".join(f"{word}\n" for word in words))
        shutil.copy(kernel / "busybox", root / "bin")
        shutil.copytree(kernel / "modules", root / "modules")
        files = Path(name) / "files"
        with files.open("wb") as out:
            names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
            pack = ["cpio", "--create", "--format=newc", "--quiet"]
            subprocess.run(pack, cwd=root, input=names.encode(), stdout=out, check=True)
        yield files


def command(way: str, kernel: Path, files: Path, tree: Path) -> list[str]:
    """The machine: two processors, 1 GB, a serial console, two folders, a port for the exit code, nothing else."""
    words = ["qemu-system-x86_64", "-accel", way, "-cpu", "max", "-smp", "2", "-m", "1024"]
    words += ["-display", "none", "-serial", "stdio", "-monitor", "none", "-nic", "none", "-no-reboot"]
    words += ["-kernel", str(kernel / "vmlinuz"), "-initrd", str(files)]
    words += ["-append", "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off"]
    words += ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"]
    for tag, path in (("tree", tree), ("house", HOUSE)):
        escaped = str(path).replace(",", ",,")
        words += ["-fsdev", f"local,id={tag},path={escaped},security_model=none,readonly=on"]
        words += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
    return words


def run(words: list[str], up_s: float) -> int | None:
    """Run the machine and show what it says; None when it did not come up, else the exit code of the tests."""
    early: list[str] = []
    is_up = False
    with (
        tempfile.TemporaryDirectory() as cwd,
        subprocess.Popen(
            words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as machine,
    ):
        alarm = threading.Timer(up_s, machine.kill)
        alarm.start()
        try:
            for raw in machine.stdout or ():
                line = raw.decode(errors="replace").rstrip()
                if line.startswith(UP):
                    is_up = True
                    alarm.cancel()
                    alarm = threading.Timer(LIMIT_S, machine.kill)
                    alarm.start()
                elif is_up:
                    print(line, flush=True)
                else:
                    early.append(line)
            code = machine.wait()
        finally:
            alarm.cancel()
            machine.kill()
    if not is_up:
        print(f"v4l2 on a real kernel: {words[2]} does not start it: {' '.join(early)[-300:]}", flush=True)
        return None
    if code < PASSED or code % 2 == 0:
        print(f"v4l2 on a real kernel: it did not reach its end ({code})")
        return 1
    return int(code - PASSED) // 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
