"""The real Picamera2 API on libcamera's virtual camera."""

import gc
import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from agent.capture.motion import MotionKernel
from agent.capture.picamera import PicameraSource
from agent.capture.resilient import Resilient
from agent.capture.source import Moment, Packet, StreamInfo
from agent.core.errors import TroubleError
from tests.device.inside.draw_frames import FRAMES
from tests.fakes.capture_camera import NS, BootClock, Camera, decode

CAMERA = Camera(source="picamera", size=(640, 360), fps=10, bitrate=1_000_000, motion_size=(320, 180))
THREAD_DIES = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


@pytest.fixture
def source() -> Iterator[PicameraSource]:
    source = PicameraSource(CAMERA, BootClock())
    yield source
    source.close()


def record(source: PicameraSource, frames: int) -> tuple[list[Moment], list[Packet]]:
    """Read until so many frames were taken: a busy machine takes longer, and shows no less."""
    began, moments = source.count.taken, []
    while source.count.taken - began < frames:
        moments.append(source.read(5.0))
    return moments, [packet for moment in moments for packet in moment.packets]


def test_it_opens_and_reads_back_what_the_camera_really_gives(source: PicameraSource) -> None:
    info = source.open()
    assert (info.width, info.height) == CAMERA.size
    assert info.motion_size == CAMERA.motion_size
    assert info.codec.startswith("avc1.")
    assert source._run is not None
    assert source._run._lores.format == "NV12"  # asked for YUV420: the virtual pipeline gives NV12 without a word
    moment = source.read(2.0)
    assert moment.luma.shape == (180, 320)
    assert 10 < moment.luma.mean() < 120


def test_the_luma_plane_is_the_cameras_own_memory(source: PicameraSource) -> None:
    source.open()
    luma = source.read(2.0).luma
    assert not luma.flags.owndata
    base: Any = luma
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    assert "mmap" in type(base.obj if isinstance(base, memoryview) else base).__name__


def test_recorded_packets_decode_with_a_key_frame_every_two_seconds(source: PicameraSource) -> None:
    info = source.open()
    moments, packets = record(source, 70)
    assert packets[0].is_keyframe
    frames = decode(info.extradata, [packet.data for packet in packets])
    assert len(frames) == len(packets) >= 0.8 * len(moments) >= 10
    keys = [packet.capture_ns for packet in packets if packet.is_keyframe]
    assert len(keys) >= 3
    assert np.diff([n for n, packet in enumerate(packets) if packet.is_keyframe]).tolist() == [20] * (
        len(keys) - 1
    )
    assert {int(frame.pict_type) for frame in frames} <= {1, 2}


def test_frames_and_packets_share_one_rising_boot_time(source: PicameraSource) -> None:
    source.open()
    moments, packets = record(source, 30)
    now = BootClock().boot_ns()
    seen = [moment.capture_ns for moment in moments]
    stamps = [packet.capture_ns for packet in packets]
    assert seen == sorted(set(seen))
    assert stamps == sorted(set(stamps))
    assert 0 <= (now - seen[-1]) / NS < 1
    assert len(set(stamps) & set(seen)) > 0.8 * len(stamps)


def test_it_triggers_on_its_own_frames_and_rests_between_visits(source: PicameraSource) -> None:
    info = source.open()
    kernel = MotionKernel(info.motion_size)
    moved = []
    while source.count.taken < 2.5 * FRAMES:
        moment = source.read(5.0)
        moved.append(kernel.step(moment.luma, moment.capture_ns / 1e6).motion)
    starts = sum(now and not before for before, now in itertools.pairwise(moved))
    share = sum(moved) / len(moved)
    assert 2 <= starts <= 6
    assert 0.2 < share < 0.6


def test_a_privacy_zone_is_black_in_packets_and_luma() -> None:
    source = PicameraSource(replace(CAMERA, privacy_zones=(LEFT_HALF,)), BootClock())
    try:
        info = source.open()
        packets: list[Packet] = []
        for _ in range(20):
            moment = source.read(2.0)
            assert (moment.luma[:, :159] == 0).all()
            assert moment.luma[100:, 170:].max() > 40
            packets += moment.packets
    finally:
        source.close()
    assert info.masked == 1
    for frame in decode(info.extradata, [packet.data for packet in packets]):
        luma = frame.to_ndarray(format="yuv420p")[:360]
        assert luma[:, :310].max() < 32
        assert luma[200:, 330:].max() > 60


@THREAD_DIES
def test_a_zone_that_can_not_be_drawn_stops_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    source = PicameraSource(replace(CAMERA, privacy_zones=(LEFT_HALF,)), BootClock())
    source.open()
    assert source._run is not None

    def broken(request: Any) -> None:
        raise ValueError("drawn badly")

    monkeypatch.setattr(source._run, "_burn", broken)
    packets: list[Packet] = []
    with pytest.raises(TroubleError) as caught:
        for _ in range(30):
            packets += source.read(2.0).packets
    source.close()
    assert caught.value.code == "zones"
    assert len(packets) < 20


@THREAD_DIES
def test_an_exception_in_the_cameras_thread_is_noticed_and_survived() -> None:
    clock = BootClock()
    source = PicameraSource(CAMERA, clock)
    eyes = Resilient(source, clock, delay_s=lambda _: 0.1)
    while eyes.read(2.0) is None:
        pass
    assert source._run is not None

    def dies(request: Any) -> None:
        raise RuntimeError("somebody's callback is broken")

    source._run._camera.post_callback = dies
    died = last = time.monotonic()
    while eyes.fault is None:
        if eyes.read(0.5) is not None:
            last = time.monotonic()
        assert time.monotonic() - died < 10
    noticed = time.monotonic() - last
    assert eyes.fault.code == "camera-frozen"
    assert noticed < 5
    back = [eyes.read(2.0) for _ in range(40)]
    eyes.close()
    assert eyes.generation == 2
    assert sum(moment is not None for moment in back) > 30
    packets = [packet for moment in back if moment is not None for packet in moment.packets]
    assert packets[0].is_keyframe


def resident_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def maps() -> int:
    lines = Path("/proc/self/maps").read_text().splitlines()
    return sum("memfd" in line or "deleted" in line for line in lines)


def test_twenty_restarts_leak_no_memory_descriptors_or_maps() -> None:
    source = PicameraSource(CAMERA, BootClock())
    seen: list[tuple[int, int, int]] = []
    for _ in range(23):
        info: StreamInfo = source.open()
        for _ in range(8):
            moment = source.read(2.0)
        assert moment.luma.shape == info.motion_size[::-1]
        del moment
        source.close()
        gc.collect()
        seen.append((resident_kib(), descriptors(), maps()))
    print("restarts: resident KiB, descriptors, maps:", seen)
    memory, files, mapped = zip(*seen[2:], strict=True)
    assert max(files) == min(files)
    assert max(mapped) == min(mapped)
    # A buffer may still wait to be freed when it is looked at, so the lowest of some are compared.
    assert min(memory[-6:]) - min(memory[:6]) < 0.02 * min(memory[:6])


def test_av_is_the_projects_own_version() -> None:
    assert int(av.__version__.split(".")[0]) >= 14
