"""Lets the real picamera2 open libcamera 0.4's virtual camera. Call `install` before picamera2 is imported.

What differs from a Pi, and is evened out here:

- the virtual pipeline has no raw stream, which picamera2 asks about when it opens a camera;
- its buffers have two planes and are libcamera's own, so picamera2's dma-heap allocator can't serve it;
- it never writes a buffer's status, so that it is whatever memory was, and picamera2 drops each frame whose status
  is not "success": all are called a success;
- it completes a request at once: requests are held to the frame rate instead;
- picamera2 imports pykms and pidng (preview windows, DNG files), which nothing here uses.
"""

import mmap
import sys
import threading
import time
from collections import deque
from types import ModuleType
from typing import Any

FPS = 10.0
MOST_START_S = 0.02  # for picamera2's `start` to return


def install() -> None:
    """Put the stand-ins in place."""
    for name in ("pykms", "pidng", "pidng.camdefs", "pidng.core", "pidng.dng", "pidng.defs"):
        sys.modules.setdefault(name, _Nameless(name))
    import libcamera  # noqa: PLC0415 - exists only inside the device lab

    _answer_raw_like_viewfinder(libcamera)
    libcamera.FrameMetadata.status = property(lambda _: libcamera.FrameMetadata.Status.Success)
    _Pacer(libcamera.Camera)

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


class _Pacer:
    """Hands requests to the camera one frame time apart, as a sensor fills them.

    The first one comes a frame time after the start: picamera2 forgets requests that complete before its `start`
    has returned, which no real camera can do.
    """

    def __init__(self, camera_class: Any) -> None:
        self._queue, self._stop = camera_class.queue_request, camera_class.stop
        self._lock = threading.Condition()
        self._pending: deque[tuple[Any, Any]] = deque()

        def queue_request(camera: Any, request: Any) -> None:
            self.queue(camera, request)

        def stop(camera: Any) -> Any:
            return self.stop(camera)

        camera_class.queue_request, camera_class.stop = queue_request, stop
        threading.Thread(target=self._run, name="pacer", daemon=True).start()

    def queue(self, camera: Any, request: Any) -> None:
        with self._lock:
            self._pending.append((camera, request))
            self._lock.notify()

    def stop(self, camera: Any) -> Any:
        with self._lock:
            self._pending.clear()
            return self._stop(camera)

    def _run(self) -> None:
        due_s = time.monotonic()
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._pending)
            due_s = max(due_s + 1 / FPS, time.monotonic())
            time.sleep(max(due_s - time.monotonic(), MOST_START_S))
            with self._lock:
                if self._pending:
                    self._queue(*self._pending.popleft())


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
