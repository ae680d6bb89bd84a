"""`python -m tests.systemd.boot`: the real units and the real package under systemd as PID 1.

Needs root, apt and 1 GB. A Debian 13 tree with the package's locked wheels is built once, in $DOORBELL_LAB/units
(or /var/tmp/doorbell-lab/units), in about three minutes; a boot of a throw-away overlay of it takes one.
The camera is `scene:porch`, the broker is out of reach: what is looked at here is processes, walls and folders.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from demo.certs import Authority
from tests.device import lab
from tests.device.lab import run
from tests.fakes.evidence_bundles import bundle_case
from tests.systemd.verify import UNITS

HOUSE = UNITS.parent
HERE = Path(__file__).parent
PACKAGES = "systemd,systemd-sysv,dbus,udev,python3,python3-venv,iproute2,ca-certificates,tzdata,curl,util-linux"
TOOLS = {"debootstrap": "debootstrap", "systemd-nspawn": "systemd-container"}
LIMIT_S = 240

#: What the guest must have seen.
EXPECTED = {
    "users": "",
    "init": "0",
    "verify": "",
    "records": "0",
    "started": "active ",
    "page_before": "inactive",
    "page_answers": "200",
    "page_after": "active",
    "records_again": "0",
    "restarted": "active ",
    "page_answers_again": "200",
    "network_recorder": "lo 1",
    "network_vault": "lo 1",
    "network_page": "lo 1",
    "uplink_sees": "",
    "page_sees": "page ",
    "stranger_at_console": "0",
    "page_idle": "inactive",
    "stopped": "inactive ",
    "failed": "0",
}


def mirror() -> str:
    """The mirror that this machine uses."""
    for path in (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list")):
        if path.is_file():
            for line in path.read_text().splitlines():
                words = line.split()
                if words[:1] in (["URIs:"], ["deb"]) and words[1].startswith("http"):
                    return words[1]
    sys.exit("boot test: apt knows no Debian mirror: set one in /etc/apt/sources.list")


def built(home: Path) -> Path:
    """The tree, built from the present lock."""
    lock = (HOUSE / "requirements/dev.txt").read_bytes()
    recipe = hashlib.sha256(lock + PACKAGES.encode()).hexdigest()
    tree, mark = home / "units", home / "units.recipe"
    if tree.is_dir() and mark.is_file() and mark.read_text() == recipe:
        return tree
    mark.unlink(missing_ok=True)
    shutil.rmtree(tree, ignore_errors=True)
    print("boot test: building a Debian 13 tree (once, about three minutes)")
    home.mkdir(parents=True, exist_ok=True)
    run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "trixie", tree, mirror())
    for path in ("/etc/resolv.conf", "/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt"):
        if Path(path).exists():
            shutil.copy(path, tree / path[1:])
    shutil.copy(HOUSE / "requirements/dev.txt", tree / "tmp")
    run("chroot", tree, "python3", "-m", "venv", "/opt/doorbell")
    pip = (
        "/opt/doorbell/bin/pip",
        "install",
        "-q",
        "--no-cache-dir",
        "--no-deps",
        "--require-hashes",
        "-r",
        "/tmp/dev.txt",
    )
    run("chroot", tree, "env", "-u", "PIP_FIND_LINKS", *pip)
    mark.write_text(recipe)
    return tree


@contextlib.contextmanager
def overlay(tree: Path) -> Iterator[Path]:
    """A throw-away copy of the tree."""
    with tempfile.TemporaryDirectory(prefix="doorbell-boot-", dir=tree.parent) as name:
        layers = [Path(name) / part for part in ("upper", "work", "root")]
        for layer in layers:
            layer.mkdir()
        upper, work, root = layers
        run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={tree},upperdir={upper},workdir={work}", root)
        try:
            yield root
        finally:
            run("umount", "-l", root)


def install(root: Path) -> None:
    """Lay package, units and configuration into the tree."""
    source = root / "tmp/source"
    for part in ("agent", "systemd"):
        shutil.copytree(HOUSE / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(HOUSE / name, source)
    pip = ("/opt/doorbell/bin/pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index")
    run("chroot", root, *pip, "/tmp/source")
    for unit in UNITS.glob("doorbell*.*"):
        shutil.copy(unit, root / "etc/systemd/system")
    for kind in ("sysusers.d", "tmpfiles.d"):
        (root / "etc" / kind).mkdir(exist_ok=True)
        shutil.copy(UNITS / kind / "doorbell.conf", root / "etc" / kind)
    home = root / "etc/doorbell"
    home.mkdir()
    (home / "platform-root.json").write_bytes(bundle_case("good").root)
    Authority(home)
    (home / "doorbell.toml").write_text(
        '[device]\nlocation = [37.7749, -122.4194]\nclock = "host"\n'
        '[camera]\nsource = "scene:porch?period_s=6"\nsize = [320, 240]\n'
        '[page]\nnames = ["localhost"]\nidle_s = 10\n'
        '[platform]\nbroker = "mqtts://broker.invalid"\ndirectory = "https://directory.invalid/tuf"\n'
        'ca = "ca.pem"\nroot = "platform-root.json"\n'
    )
    shutil.copy(HERE / "guest.sh", root / "root")
    (root / "etc/systemd/system/guest.service").write_text(
        "[Service]\nType=exec\nExecStart=/bin/bash /root/guest.sh\nStandardOutput=file:/root/seen\n"
        "StandardError=null\nExecStopPost=/bin/systemctl poweroff --no-block\n"
    )
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "guest.service").symlink_to("../guest.service")


def boot(root: Path) -> dict[str, str]:
    """Boot the tree, wait for its end and return what the guest saw."""
    nspawn = ["systemd-nspawn", "-q", "--register=no", "--keep-unit", "--private-network", "-b", "-D", str(root)]
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            [*nspawn, f"--machine=doorbell{os.getpid()}", "--console=pipe"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            timeout=LIMIT_S,
            check=False,
        )
    seen = root / "root/seen"
    lines = seen.read_text().splitlines() if seen.exists() else []
    return {name: value for name, found, value in (line.partition("=") for line in lines) if found}


def main() -> int:
    """Build, boot, judge; 0 when everything is as it must be."""
    if os.geteuid() != 0:
        print("boot test left out: it needs root")
        return 0
    lab.install(TOOLS)
    with overlay(built(lab.folder())) as root:
        install(root)
        seen = boot(root)
    wrong = [
        f"{name}: expected {value!r}, saw {seen.get(name)!r}"
        for name, value in EXPECTED.items()
        if seen.get(name) != value
    ]
    if int(seen.get("clips", "0")) < 1:
        wrong.append("clips: nothing was recorded")
    print("\n".join(wrong) or f"boot test: {len(EXPECTED) + 1} facts hold under systemd as PID 1")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
