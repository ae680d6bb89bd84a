"""The kernel's vivid driver: a webcam, /dev/video0, and a video output, which is no camera, /dev/video1."""

import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CAMERA, OUTPUT = "/dev/video0", "/dev/video1"
MODULES = Path("/run/modules")
BUSYBOX = "/run/busybox"
RIGHT_FAST, STILL = 6, 3  # of "Horizontal Movement"
ALL_TEXT, NO_TEXT = 0, 2  # of "OSD Text Mode": counters, which move in every picture
SHAPE = "n_devs=1 node_types=0x101 num_inputs=1 input_types=0 num_outputs=1 vid_cap_nr=0 vid_out_nr=1"

# linux/videodev2.h: _IOWR('V', number, a structure of so many bytes)
_QUERYCTRL = 0xC044_5624
_S_CTRL = 0xC008_561C
_G_FMT = 0xC0D0_5604
_G_PARM = 0xC0CC_5615
_NEXT = 0x8000_0000
_CAPTURE = 1


def load(*kinds: str) -> None:
    """Load kernel modules (tests.device.vm.kernel.WANTED) where they are missing."""
    for module in [path for kind in kinds for path in sorted((MODULES / kind).iterdir())]:
        name = module.stem.partition("-")[2]
        if not Path("/sys/module", name).exists():
            words = SHAPE.split() if name == "vivid" else []
            subprocess.run([BUSYBOX, "insmod", module, *words], check=True)


def plug_in() -> None:
    """Load the driver, with what it stands on."""
    load("vivid")


def unplug() -> None:
    """Unload the driver; the device must not be open."""
    subprocess.run([BUSYBOX, "rmmod", "vivid"], check=True)


@contextmanager
def _opened() -> Iterator[int]:
    descriptor = os.open(CAMERA, os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def turn(control: str, value: int = 1) -> None:
    """Set a control by its name; a button is pressed by any value."""
    with _opened() as descriptor:
        asked = bytearray(68)
        number, name = 0, b""
        while name != control.encode():
            struct.pack_into("<I", asked, 0, number | _NEXT)
            fcntl.ioctl(descriptor, _QUERYCTRL, asked)  # EINVAL after the last one
            number, _, name = struct.unpack_from("<II32s", asked)
            name = name.rstrip(b"\0")
        fcntl.ioctl(descriptor, _S_CTRL, struct.pack("<Ii", number, value))


def what_it_gives() -> tuple[int, int, str, float]:
    """Return width, height, pixel format and frames a second as the driver has them."""
    with _opened() as descriptor:
        shape, rate = bytearray(208), bytearray(204)
        struct.pack_into("<I", shape, 0, _CAPTURE)
        struct.pack_into("<I", rate, 0, _CAPTURE)
        fcntl.ioctl(descriptor, _G_FMT, shape)
        fcntl.ioctl(descriptor, _G_PARM, rate)
    width, height, pixels = struct.unpack_from("<II4s", shape, 8)
    numerator, denominator = struct.unpack_from("<II", rate, 12)
    return width, height, pixels.decode(), denominator / numerator
