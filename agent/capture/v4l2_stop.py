"""The one thing that FFmpeg's Video4Linux reader can't do: end its own wait.

It waits for a picture inside the driver (VIDIOC_DQBUF), without a limit and deaf to interrupts, and while it waits
the device is taken. Stopping the stream on the same open file ends that wait with an error; the file is found
among this process's own.
"""

import fcntl
import os
import stat
from contextlib import ExitStack, suppress
from pathlib import Path

_STREAMOFF = 0x4004_5613  # _IOW('V', 19, int), linux/videodev2.h
_CAPTURE = (1).to_bytes(4, "little")  # V4L2_BUF_TYPE_VIDEO_CAPTURE; every Pi and PC is little-endian


def stop_stream(device: str) -> None:
    """Stop what this process streams from a device; nothing where it streams nothing. Never raises.

    A driver that hangs may keep the caller waiting: call it from a thread that may.

    Args:
        device: such as /dev/video0.
    """
    with suppress(OSError):
        found = Path(device).stat()
        for path in Path("/proc/self/fd").iterdir():
            with ExitStack() as undo, suppress(OSError):
                held = os.dup(int(path.name))  # it may be closed and its number given away meanwhile
                undo.callback(os.close, held)
                if stat.S_ISCHR(found.st_mode) and os.fstat(held).st_rdev == found.st_rdev:
                    fcntl.ioctl(held, _STREAMOFF, _CAPTURE)
