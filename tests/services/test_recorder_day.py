"""A day of recording without a pause, as fast as it goes: memory, descriptors, folder and index stay in bounds."""

import queue
import resource
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from agent.buffer import sqlite_eviction, sqlite_store
from agent.buffer.ring import Ring
from agent.buffer.segment import Cutter
from agent.capture import source
from agent.capture.source import Moment
from agent.capture.trigger import Trigger, TriggerSettings
from agent.core.ids import Id
from agent.services.recipients_file import RecipientsFile
from agent.services.recorder_loop import RecorderLoop
from agent.services.segment_writer import SegmentWriter
from tests.fakes.buffer_film import encoded, stream_info
from tests.fakes.recorder_vault import wait_for
from tests.fakes.vault_rig import Rig
from tests.services.test_recorder_loop import StepKernel

S = 1_000_000_000
FPS, GOP, SEGMENT_S = 5, 10, 10
HOURS, WARM_UP_HOURS = 24, 6  # by then every buffer has met its largest segment
MOVING = np.full((48, 64), 255, np.uint8)


def _rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def ram() -> Iterator[Path]:
    """A folder where an fsync costs nothing: a day has 8,640 segments."""
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder)


class Day:
    """The recorder's loop and writer and the vault's store, on a clock that is told."""

    def __init__(self, folder: Path) -> None:
        self.rig = Rig(folder, clips="max_bytes = 10_000_000")
        state = self.rig.config.device.state_dir
        recipients = RecipientsFile(state / "recipients.json")
        recipients.poll()
        self.told: queue.SimpleQueue[Id] = queue.SimpleQueue()
        self.writer = SegmentWriter(state / "segments", recipients, self.rig.clock, self.told.put)
        self.writer.start()
        extradata, self._units = encoded(GOP * 6, GOP)
        self.loop = RecorderLoop(
            make_kernel=StepKernel,
            trigger=Trigger(TriggerSettings(6.0, 8.0, 120.0)),
            ring=Ring(capacity_bytes=2_000_000, max_packets=500),
            cutter=Cutter(segment_ns=SEGMENT_S * S, frame_ns=S // FPS),
            writer=self.writer,
            budget_bytes=32_000_000,
            may_record=lambda: True,
            pre_roll_ns=6 * S,
        )
        self.loop.begin(stream_info(extradata))
        self._n = 0
        self.indexed = 0

    def hour(self) -> None:
        """Record for an hour; the vault indexes and evicts as it goes."""
        for _ in range(3600 * FPS):
            self.rig.clock.pass_s(1 / FPS)
            now_ns = self.rig.clock.boot_ns()
            data, is_key = self._units[self._n % len(self._units)]
            self._n += 1
            packet = source.Packet(memoryview(data), now_ns, is_key)
            self.loop.step(Moment(now_ns, MOVING, (packet,)), press=False)
            if is_key:
                self._index()
        wait_for(lambda: self.writer.backlog_bytes == 0)
        self._index()

    def _index(self) -> None:
        while self.writer.backlog_bytes > 1_000_000 or not self.told.empty():
            self.rig.vault.store.sealed(self.told.get(timeout=20))
            self.rig.settle()
            self.indexed += 1

    def close(self) -> None:
        self.loop.end()
        assert self.writer.close(20)
        self.rig.close()


@pytest.mark.slow
@pytest.mark.no_cover  # a day under the tracer takes three times as long, and each line is covered elsewhere
def test_a_day_of_recording_keeps_memory_descriptors_folder_and_index_in_bounds(ram: Path) -> None:
    with closing(Day(ram)) as day:
        for _ in range(WARM_UP_HOURS):
            day.hour()
        rss, descriptors = _rss_bytes(), _descriptors()
        for _ in range(HOURS - WARM_UP_HOURS):
            day.hour()
            store = day.rig.vault.folder.scan()
            held = [one for one, _ in sqlite_store.ids(day.rig.vault.db.tx)]
            assert sorted(held) == sorted(store.complete)
            assert store.half == store.lone == store.foreign == ()
            assert sqlite_eviction.totals(day.rig.vault.db.tx)[1] <= 10_000_000
            assert _descriptors() == descriptors
        assert day.indexed >= HOURS * 3600 // SEGMENT_S - 2
        assert day.writer.dropped_frames == day.loop.dropped_frames == 0
        growth = _rss_bytes() / rss - 1
        print(f"{day.indexed} segments, RSS {rss / 1e6:.1f} MB, growth {growth:.2%}, {descriptors} descriptors")
        assert growth <= 0.01
