"""A blocking source in a thread of its own, so that its reader never waits longer than it asked.

The thread opens, reads and closes the stream; what it reads goes through a mailbox: newest luma, all packets. A
thread that waits in a driver is woken where there is a way to; one that hangs all the same is left alone, and when
two hang the camera counts as broken until the process is started again.
"""

import threading
from collections import deque
from collections.abc import Callable

import numpy as np

from agent.capture.mailbox import Mailbox
from agent.capture.source import FrameCount, Luma, Moment, Source, StreamInfo
from agent.core.errors import TroubleError

OPEN_S = 12.0
CLOSE_S = 1.0
MOST_HANGING = 2
_SLOTS = 3  # one with the reader, one waiting, one being filled


class Pump:
    """A source around a blocking one (see `agent.capture.source.Source`).

    Args:
        make: gives the blocking source, anew for each `open`.
        name: of the thread.
        wake: ends a blocking source's wait in its driver; called in a thread of its own, since it may hang too.
    """

    def __init__(self, make: Callable[[], Source], name: str, wake: Callable[[], None] | None = None) -> None:
        self._make, self._name, self._wake = make, name, wake
        self.count = FrameCount()
        self._hanging: list[threading.Thread] = []
        self._run: _Run | None = None
        self._held: Luma | None = None

    def open(self) -> StreamInfo:
        """See `Source.open`."""
        self.close()
        self._hanging = [thread for thread in self._hanging if thread.is_alive()]
        if len(self._hanging) >= MOST_HANGING:
            text = "the camera's driver hangs; unplug the camera or restart the device"
            raise TroubleError("camera-failed", text)
        self._run = _Run(self._make(), self._name)
        self._run.thread.start()
        try:
            return self._run.wait_open(OPEN_S)
        except TroubleError:
            self.close()
            raise

    def read(self, timeout_s: float) -> Moment:
        """See `Source.read`."""
        if self._run is None:
            raise TroubleError("camera-failed", "the camera is not open")
        self._give_back()
        letter = self._run.mailbox.take(timeout_s)
        if letter is None:
            raise TroubleError("camera-frozen", "no picture from the camera; check its cable or network")
        self._held = letter.frame
        self.count.taken += letter.frames + letter.dropped
        self.count.given += letter.frames
        self.count.dropped += letter.dropped
        return Moment(letter.capture_ns, letter.frame, letter.packets, letter.dropped)

    def close(self) -> None:
        """See `Source.close`."""
        self._give_back()
        run, self._run = self._run, None
        if run is None:
            return
        run.stopping.set()
        run.mailbox.close()
        if self._wake is not None:
            threading.Thread(target=self._wake, name=f"{self._name} wake", daemon=True).start()
        run.thread.join(CLOSE_S)
        if run.thread.is_alive():
            self._hanging.append(run.thread)

    def _give_back(self) -> None:
        held, self._held = self._held, None
        if held is not None and self._run is not None:
            self._run.free.append(held)


class _Run:
    """One opening of the stream, from the thread's start to its end."""

    def __init__(self, source: Source, name: str) -> None:
        self._source = source
        self._opened = threading.Event()
        self._info: StreamInfo | None = None
        self._trouble: TroubleError | None = None
        self.stopping = threading.Event()
        self.free: deque[Luma] = deque()
        self.mailbox: Mailbox[Luma] = Mailbox(self.free.append)
        self.thread = threading.Thread(target=self._pump, name=name, daemon=True)

    def wait_open(self, timeout_s: float) -> StreamInfo:
        """Return what the stream says of itself.

        Raises:
            TroubleError: why it could not be opened.
        """
        self._opened.wait(timeout_s)
        if self._trouble is not None and self._info is None:
            raise self._trouble
        if self._info is None:
            raise TroubleError("camera-missing", "the camera does not answer; check its cable or network")
        return self._info

    def _pump(self) -> None:
        try:
            self._info = info = self._source.open()
            width, height = info.motion_size
            self.free.extend(np.zeros((height, width), np.uint8) for _ in range(_SLOTS))
            self._opened.set()
            while not self.stopping.is_set():
                self._pass_on(self._source.read(0))
        except TroubleError as trouble:
            self._trouble = trouble
            self.mailbox.fail(trouble)
        finally:
            self._opened.set()
            self._source.close()
            self.mailbox.fail(TroubleError("camera-failed", "the camera's thread ended; it is started again"))

    def _pass_on(self, moment: Moment) -> None:
        for packet in moment.packets:
            self.mailbox.put_packet(packet)
        slot = self.free.popleft()
        np.copyto(slot, moment.luma)
        self.mailbox.put_frame(slot, moment.capture_ns, dropped=moment.dropped)
