"""Debian's own kernel and the few of its modules that the tests need, in the lab's folder `kernel`.

Fetched once, by the apt of the tree that the machine boots; a change of what is wanted fetches anew. Nothing is
compiled.
"""

import hashlib
import lzma
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.device.lab import run
from tests.systemd.boot import overlay

FETCH = """set -eu
mkdir /tmp/kernel
cd /tmp/kernel
apt-get -qq update
image=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: //p')
apt-get -qq -o APT::Sandbox::User=root download "$image" busybox-static
for deb in *.deb; do dpkg-deb -x "$deb" .; done
"""
#: Module by module, what the machine itself needs and what its cameras are made of.
WANTED = {"boot": ("9p", "9pnet_virtio", "configfs"), "vivid": ("vivid",), "usb": ("vhci_hcd", "uvcvideo")}


def fetched(lab: Path, tree: Path) -> Path:
    """Return the folder with `vmlinuz`, `busybox` and `modules/*/*.ko`, numbered in the order of loading."""
    kept, mark = lab / "kernel", lab / "kernel.recipe"
    recipe = hashlib.sha256((FETCH + repr(WANTED)).encode()).hexdigest()
    if kept.is_dir() and mark.is_file() and mark.read_text() == recipe:
        return kept
    mark.unlink(missing_ok=True)
    shutil.rmtree(kept, ignore_errors=True)
    print("device lab: fetching Debian 13's kernel (once, some seconds)", flush=True)
    with overlay(tree) as root:
        run("chroot", root, "/bin/sh", "-c", FETCH)
        found = root / "tmp/kernel"
        with tempfile.TemporaryDirectory(dir=lab) as name:
            new = Path(name) / "kernel"
            new.mkdir()
            shutil.copy(next(found.glob("boot/vmlinuz-*")), new / "vmlinuz")
            shutil.copy(found / "usr/bin/busybox", new)
            _lay_modules(next(found.glob("usr/lib/modules/*")), new / "modules")
            new.rename(kept)
    mark.write_text(recipe)
    return kept


def _lay_modules(base: Path, target: Path) -> None:
    files = {_name(path): path for path in base.rglob("*.ko.xz")}
    built_in = {_name(Path(line)) for line in (base / "modules.builtin").read_text().split()}
    loaded: dict[str, bytes] = {}

    def load(names: Iterable[str]) -> None:
        for name in names:
            if name not in loaded and name not in built_in:
                content = lzma.decompress(files[name].read_bytes())
                depends = re.search(rb"\0depends=([\w,-]*)\0", content)
                load(one.replace("-", "_") for one in depends[1].decode().split(",") if one) if depends else None
                loaded[name] = content

    for kind, names in WANTED.items():
        before = len(loaded)
        load(names)
        (target / kind).mkdir(parents=True)
        for number, (name, content) in enumerate(list(loaded.items())[before:]):
            (target / kind / f"{number:02}-{name}.ko").write_bytes(content)


def _name(path: Path) -> str:
    return path.name.partition(".")[0].replace("-", "_")
