"""Lets the real picamera2 open libcamera 0.4's virtual camera. Call `install` before picamera2 is imported.

What differs from a Pi, and is evened out here:

- the virtual pipeline has no raw stream, which picamera2 asks about when it opens a camera;
- its buffers have two planes and are libcamera's own, so picamera2's dma-heap allocator can't serve it;
- it completes a request at once: requests are held to the frame rate instead;
- picamera2 imports pykms and pidng (preview windows, DNG files), which nothing here uses.
"""

import mmap
import sys
import threading
import time
from types import ModuleType
from typing import Any

FPS = 15.0


def install() -> None:
    """Put the stand-ins in place."""
    for name in ("pykms", "pidng", "pidng.camdefs", "pidng.core", "pidng.dng", "pidng.defs"):
        sys.modules.setdefault(name, _Nameless(name))
    import libcamera  # noqa: PLC0415 - exists only inside the device lab

    _answer_raw_like_viewfinder(libcamera)
    _pace(libcamera)

    from picamera2 import picamera2  # noqa: PLC0415 - same

    picamera2.DmaAllocator = _allocator_class


class _Nameless(ModuleType):
    """A module that has every name."""

    __path__: list[str] = []  # noqa: RUF012 - a module's, not ours

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return (
            type(name, (), {"__getattr__": lambda _, part: part})()
            if name in ("PixelFormat", "PlaneType")
            else type(name, (), {})
        )


def _answer_raw_like_viewfinder(libcamera: Any) -> None:
    real = libcamera.Camera.generate_configuration

    def generate(self: Any, roles: list[Any]) -> Any:
        raw, viewfinder = libcamera.StreamRole.Raw, libcamera.StreamRole.Viewfinder
        return real(self, [viewfinder] if roles == [raw] else roles)

    libcamera.Camera.generate_configuration = generate


def _pace(libcamera: Any) -> None:
    real = libcamera.Camera.queue_request
    lock = threading.Lock()
    due_s = 0.0

    def queue(self: Any, request: Any) -> Any:
        nonlocal due_s
        with lock:
            at_s = max(time.monotonic(), due_s)
            due_s = at_s + 1 / FPS
        time.sleep(max(at_s - time.monotonic(), 0))
        return real(self, request)

    libcamera.Camera.queue_request = queue


class _Sync:
    """Maps a buffer of two planes in one file; bytes_used is 0 in libcamera 0.4, so the planes' lengths count."""

    def __init__(self, _allocator: Any, buffer: Any, _write: bool) -> None:
        self._buffer = buffer

    def __enter__(self) -> mmap.mmap:
        planes = self._buffer.planes
        self._map = mmap.mmap(planes[0].fd, sum(plane.length for plane in planes))
        return self._map

    def __exit__(self, *_: object) -> None:
        try:
            self._map.close()
        except BufferError:
            return  # a view of it still lives; the map goes with the view


def _allocator_class() -> Any:
    """Stand in for `DmaAllocator()`: libcamera's own allocator, for the camera that is configured with it."""
    from picamera2.allocators import LibcameraAllocator  # noqa: PLC0415 - exists only inside the device lab

    class Allocator(LibcameraAllocator):  # type: ignore[misc]  # picamera2 has no types
        def __init__(self) -> None:
            super().__init__(None)
            self.sync = _Sync

        def allocate(self, libcamera_config: Any, use_case: Any) -> None:
            from picamera2 import Picamera2  # noqa: PLC0415 - same

            (self.camera,) = (one.camera for one in Picamera2._cm.cameras.values())
            super().allocate(libcamera_config, use_case)

    return Allocator()
