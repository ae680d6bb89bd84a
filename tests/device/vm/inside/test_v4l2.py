"""`v4l2:` on a real kernel: the vivid driver's webcam, which can freeze, break and vanish.

No time here is tighter than an emulated processor can keep; what is fast is the camera, ten frames a second.
"""

import gc
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.capture.open_source import open_source
from agent.capture.resilient import Resilient
from agent.capture.source import Moment, Packet, Source
from agent.core.errors import TroubleError
from tests.device.vm.inside import vivid
from tests.fakes.capture_camera import NS, BootClock, Camera, decode

CAMERA = Camera(source=f"v4l2:{vivid.CAMERA}", size=(320, 180), fps=10, motion_size=(160, 90))
LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
NOTICED_S = 5.0
BACK_S = 20.0


@pytest.fixture
def source() -> Iterator[Source]:
    source = open_source(CAMERA, BootClock())
    yield source
    source.close()


@pytest.fixture
def eyes() -> Iterator[Resilient]:
    clock = BootClock()
    eyes = Resilient(open_source(CAMERA, clock), clock, delay_s=lambda _: 0.2)
    yield eyes
    eyes.close()


def packets_of(moments: Sequence[Moment]) -> list[Packet]:
    return [packet for moment in moments for packet in moment.packets]


def refusal(source: str) -> tuple[str, str]:
    """What is said when it is opened in vain."""
    with pytest.raises(TroubleError) as caught:
        open_source(replace(CAMERA, source=source), BootClock()).open()
    return caught.value.code, str(caught.value)


def holders(device: str = vivid.CAMERA) -> int:
    """How many descriptors of this process are the camera."""
    found = 0
    for path in Path("/proc/self/fd").iterdir():
        try:
            found += str(path.readlink()) == device
        except FileNotFoundError:
            continue
    return found


@pytest.mark.parametrize(
    ("asked", "pixels"), [("", "YU12"), ("?input_format=yuyv422", "YUYV"), ("?input_format=nv12", "NV12")]
)
def test_the_device_gives_the_size_rate_and_format_that_are_asked_for(asked: str, pixels: str) -> None:
    source = open_source(replace(CAMERA, source=CAMERA.source + asked), BootClock())
    try:
        info = source.open()
        given = vivid.what_it_gives()
        moments = [source.read(5.0) for _ in range(3)]
    finally:
        source.close()
    assert given == (info.width, info.height, pixels, info.fps) == (320, 180, pixels, 10.0)
    assert moments[0].luma.shape == (90, 160)
    assert moments[0].luma.std() > 40  # the test picture's bars, from white to black
    frames = decode(info.extradata, [packet.data for packet in packets_of(moments)])
    assert frames[-1].to_ndarray(format="gray").std() > 40


@pytest.mark.parametrize(
    ("size", "fps", "given"),
    [((500, 300), 13, (640, 360, "YU12", 15)), ((322, 182), 10, (320, 180, "YU12", 10))],
)
def test_a_size_or_rate_that_the_device_does_not_have_is_answered_by_what_it_has(
    size: tuple[int, int], fps: int, given: tuple[int, int, str, float]
) -> None:
    vivid.turn("OSD Text Mode", vivid.NO_TEXT)
    source = open_source(replace(CAMERA, size=size, fps=fps), BootClock())
    try:
        info = source.open()
        assert vivid.what_it_gives() == given
        luma = source.read(5.0).luma.copy()
    finally:
        source.close()
    assert (info.width, info.height, info.fps) == (*given[:2], given[3])
    assert luma.std() > 40
    assert luma.std(axis=0).max() < 5  # bars stand upright: no row is shifted


def test_pictures_move_and_packets_decode_with_a_key_frame_every_two_seconds(source: Source) -> None:
    info = source.open()
    vivid.turn("Horizontal Movement", vivid.RIGHT_FAST)
    moments: list[Moment] = []
    lumas = []
    while not moments or moments[-1].capture_ns - moments[0].capture_ns < 4.5 * NS:
        moments.append(source.read(5.0))
        lumas.append(moments[-1].luma.copy())
    steps = [np.abs(after.astype(int) - before).mean() for before, after in itertools.pairwise(lumas)]
    assert np.median(steps) > 1
    packets = packets_of(moments)
    assert packets[0].is_keyframe
    assert len(decode(info.extradata, [packet.data for packet in packets])) == len(packets)
    keys = [packet.capture_ns for packet in packets if packet.is_keyframe]
    assert len(keys) >= 3
    assert all(1.5 * NS < gap < 2.5 * NS for gap in np.diff(keys))


def test_capture_times_are_boot_time_rise_and_are_near_now(source: Source) -> None:
    clock = BootClock()
    before = clock.boot_ns()
    source.open()
    late, stamps = [], []
    for _ in range(30):
        moment = source.read(5.0)
        late.append((clock.boot_ns() - moment.capture_ns) / NS)
        stamps += [packet.capture_ns for packet in moment.packets]
    assert stamps == sorted(set(stamps))
    assert before < stamps[0]
    assert min(late) > -0.5  # while the smallest delay is not yet known
    assert min(late[15:]) >= 0
    assert np.median(late) < 1
    assert float(np.median(np.diff(stamps))) / NS == pytest.approx(0.1, abs=0.03)


def test_a_privacy_zone_is_black_in_packets_and_luma() -> None:
    source = open_source(replace(CAMERA, privacy_zones=(LEFT_HALF,)), BootClock())
    moments = []
    try:
        info = source.open()
        for _ in range(5):
            moments.append(source.read(5.0))
            assert (moments[-1].luma[:, :79] <= 16).all()
            assert moments[-1].luma[:, 81:].max() > 100
    finally:
        source.close()
    assert info.masked == 1
    for frame in decode(info.extradata, [packet.data for packet in packets_of(moments)]):
        luma = frame.to_ndarray(format="yuv420p")[:180]
        assert luma[:, :156].max() < 32
        assert luma[:, 164:].max() > 100


def test_a_spoilt_picture_is_left_out_and_counted(source: Source) -> None:
    source.open()
    source.read(5.0)
    vivid.turn("Inject V4L2_BUF_FLAG_ERROR")
    for _ in range(10):
        source.read(5.0)
    assert source.count.dropped == 1


def code(eyes: Resilient) -> str:
    """The fault of the moment."""
    return eyes.fault.code if eyes.fault else ""


def first(eyes: Resilient) -> Moment:
    """The next picture."""
    until = time.monotonic() + BACK_S
    while (moment := eyes.read(0.5)) is None:
        assert time.monotonic() < until, eyes.fault
    return moment


def fault_after(eyes: Resilient, last: float) -> TroubleError:
    """The fault that is told within five seconds of the last picture."""
    while eyes.fault is None:
        if eyes.read(0.5) is not None:
            last = time.monotonic()
    assert time.monotonic() - last < NOTICED_S
    return eyes.fault


def test_a_frozen_camera_is_noticed_let_go_and_back_by_itself(eyes: Resilient) -> None:
    before = first(eyes)
    vivid.turn("Percentage of Dropped Buffers", 100)
    fault = fault_after(eyes, time.monotonic())
    assert fault.code == "camera-frozen"
    assert str(fault) == "no picture from the camera; check its cable or network"
    assert holders() == 0  # so that a driver that needs a new start gets one
    vivid.turn("Percentage of Dropped Buffers", 0)
    after = first(eyes)
    assert (code(eyes), eyes.generation) == ("", 2)
    assert after.packets[0].is_keyframe
    assert after.capture_ns - before.capture_ns > 4 * NS


def test_a_camera_that_is_frozen_from_the_start_leaves_nothing_behind(
    eyes: Resilient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.capture.pump.OPEN_S", 1.0)
    vivid.turn("Percentage of Dropped Buffers", 100)
    threads = threading.active_count()
    for _ in range(3):
        assert eyes.read(0.5) is None
        assert code(eyes) == "camera-missing"
        assert (holders(), threading.active_count()) == (0, threads)
    vivid.turn("Percentage of Dropped Buffers", 0)
    first(eyes)
    assert code(eyes) == ""


@pytest.mark.parametrize("control", ["Inject Fatal Streaming Error", "Disconnect"])
def test_a_camera_that_breaks_or_is_unplugged_for_a_moment_is_opened_again(eyes: Resilient, control: str) -> None:
    first(eyes)
    vivid.turn(control)
    fault = fault_after(eyes, time.monotonic())
    assert fault.code == "camera-failed"
    assert "\n" not in str(fault)
    assert first(eyes).packets[0].is_keyframe
    assert eyes.generation == 2


def test_a_camera_that_is_gone_is_named_and_taken_up_when_it_is_back(eyes: Resilient) -> None:
    first(eyes)
    eyes.close()
    vivid.unplug()
    assert eyes.read(1.0) is None
    assert eyes.fault is not None
    assert (eyes.fault.code, str(eyes.fault)) == (
        "camera-missing",
        f"there is no {vivid.CAMERA}; check its cable and [camera] source",
    )
    vivid.plug_in()
    first(eyes)
    assert (code(eyes), eyes.generation) == ("", 2)


@pytest.mark.parametrize("device", [vivid.OUTPUT, "/dev/null", "/run/busybox"])
def test_what_is_no_camera_is_said_in_one_line(device: str) -> None:
    said = f"{device} is not a camera; check [camera] source"
    assert refusal(f"v4l2:{device}") == ("camera-unreadable", said)


def test_a_format_that_the_camera_does_not_have_is_named() -> None:
    said = f"{vivid.CAMERA} gives no mjpeg; choose another input_format in [camera] source"
    assert refusal(f"{CAMERA.source}?input_format=mjpeg") == ("camera-unreadable", said)


def test_a_camera_that_another_has_is_said_to_be_in_use(source: Source) -> None:
    source.open()
    said = f"{vivid.CAMERA} is in use by another program; stop that one"
    assert refusal(CAMERA.source) == ("camera-unreadable", said)


def test_twenty_restarts_leak_no_memory_descriptors_or_threads(source: Source) -> None:
    seen: list[tuple[int, int, int]] = []
    for _ in range(23):
        source.open()
        source.read(5.0)
        source.close()
        gc.collect()
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * 4
        seen.append((resident, len(list(Path("/proc/self/fd").iterdir())), threading.active_count()))
    print("restarts: resident KiB, descriptors, threads:", seen)
    memory, files, threads = zip(*seen[2:], strict=True)
    assert max(files) == min(files)
    assert max(threads) == min(threads)
    assert min(memory[-6:]) - min(memory[:6]) < 0.02 * min(memory[:6])
