"""The Pi's camera: what the source asks of picamera2, and what it does when that misbehaves.

The real picamera2 is met in tests/device.
"""

from collections.abc import Callable

import numpy as np
import pytest

from agent.capture.picamera import PicameraSource
from agent.capture.picamera_stack import Stream, load_stack, read_stream
from agent.capture.source import Packet
from agent.capture.zones import Zones
from agent.core.errors import TroubleError
from tests.fakes.capture_camera import NS, Camera, HandClock, decode
from tests.fakes.capture_picamera import FakePicamera2, FakeStack

HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
MAIN, LORES = Stream("YUV420", 320, 180, 384), Stream("NV12", 160, 90, 192)


def pi(zones: tuple[object, ...] = (), fails: str = "") -> tuple[PicameraSource, FakePicamera2]:
    camera = FakePicamera2(MAIN, LORES, fails=fails)
    stack = FakeStack(camera)
    settings = Camera(source="picamera", privacy_zones=zones)  # type: ignore[arg-type]  # polygons
    return PicameraSource(settings, HandClock(now_ns=1000 * NS), lambda: stack), camera


def test_streams_are_asked_for_and_the_answer_is_what_counts() -> None:
    source, camera = pi()
    info = source.open()
    assert camera.asked["main"] == {"size": (320, 180), "format": "YUV420"}
    assert camera.asked["lores"] == {"size": (160, 90), "format": "YUV420"}
    assert camera.asked["controls"] == {"FrameRate": 10.0}
    assert (info.width, info.height, info.motion_size) == (320, 180, (160, 90))
    assert info.codec.startswith("avc1.")
    source.close()


def test_one_wake_up_gives_luma_without_a_copy_and_the_packets_so_far() -> None:
    source, camera = pi()
    info = source.open()
    camera.frame(100_000, 120)
    moment = source.read(1.0)
    assert moment.luma.shape == (90, 160)
    assert (moment.luma == 120).all()
    assert np.shares_memory(moment.luma, camera.requests[1].buffers["lores"])
    assert [packet.capture_ns for packet in moment.packets] == [1000 * NS, 1000 * NS + NS // 10]
    assert moment.capture_ns == moment.packets[-1].capture_ns
    assert len(decode(info.extradata, [packet.data for packet in moment.packets])) == 2
    source.close()


def test_a_request_is_held_until_the_next_read_and_then_given_back() -> None:
    source, camera = pi()
    source.open()
    source.read(1.0)
    assert (camera.requests[0].holders, camera.requests[0].mapped) == (1, 1)
    camera.frame(100_000, 120)
    source.read(1.0)
    assert (camera.requests[0].holders, camera.requests[0].mapped) == (0, 0)
    camera.frame(200_000, 120)
    source.close()
    assert [request.holders for request in camera.requests] == [0, 0, 0]
    assert camera.closed == 1


def test_a_late_reader_holds_up_no_request() -> None:
    source, camera = pi()
    source.open()
    for number in range(1, 30):
        camera.frame(number * 100_000, 120)
    assert sum(request.holders for request in camera.requests) == 1
    moment = source.read(1.0)
    assert len(moment.packets) == 30
    assert (source.count.taken, source.count.given, source.count.dropped) == (30, 30, 0)
    source.close()


def test_frames_that_the_camera_lost_are_counted() -> None:
    source, camera = pi()
    source.open()
    camera.frame(100_000, 120)
    source.read(1.0)
    camera.frame(500_000, 120)
    assert source.read(1.0).dropped == 3
    assert (source.count.taken, source.count.given, source.count.dropped) == (6, 3, 3)
    source.close()


def test_zones_are_black_in_every_plane_of_both_streams() -> None:
    source, camera = pi(zones=(HALF,))
    info = source.open()
    camera.frame(100_000, 200)
    moment = source.read(1.0)
    assert info.masked == 1
    assert (moment.luma[:, :79] == 0).all()
    assert (moment.luma[:, 82:] == 200).all()
    for frame in decode(info.extradata, [packet.data for packet in moment.packets]):
        assert frame.to_ndarray(format="yuv420p")[:180, :140].max() < 40
    source.close()


@pytest.mark.parametrize("form", ["YUV420", "NV12"])
def test_chroma_is_hidden_at_its_place_in_padded_buffers(form: str) -> None:
    stream = Stream(form, 64, 48, 96)
    buffer = np.full(96 * 48 * 3 // 2, 200, np.uint8)
    stream.burn(buffer, Zones([HALF], 64, 48))
    chroma = buffer[96 * 48 :]
    if form == "NV12":
        rows = chroma.reshape(24, 96)
        assert (rows[:, :32] == 128).all()
        assert (rows[:, 36:] == 200).all()
    else:
        for plane in chroma.reshape(2, 24, 48):
            assert (plane[:, :16] == 128).all()
            assert (plane[:, 18:] == 200).all()


def break_burn(camera: FakePicamera2) -> None:
    camera.main = Stream("YUV420", 320, 90, 384)  # the next buffer is half as large as was configured


def test_a_zone_that_can_not_be_burnt_stops_the_frame_before_the_encoder() -> None:
    source, camera = pi(zones=(HALF,))
    source.open()
    source.read(1.0)
    break_burn(camera)
    with pytest.raises(TroubleError) as caught:
        camera.frame(100_000, 200)
    assert caught.value.code == "zones"
    camera.frame(200_000, 200)
    with pytest.raises(TroubleError) as caught:
        source.read(1.0)
    assert caught.value.code == "zones"
    assert len(camera.requests) == 2
    source.close()


def test_nothing_starts_with_a_zone_that_makes_no_sense() -> None:
    source, camera = pi(zones=(((0.1, 0.1), (0.2, 0.2)),))
    with pytest.raises(TroubleError) as caught:
        source.open()
    assert caught.value.code == "zones"
    assert not camera.started
    assert camera.closed == 1


def test_a_dead_camera_thread_is_a_frozen_camera() -> None:
    source, camera = pi()
    source.open()
    source.read(1.0)
    camera.dead = True
    camera.frame(100_000, 120)
    with pytest.raises(TroubleError) as caught:
        source.read(0.05)
    assert caught.value.code == "camera-frozen"
    source.close()


@pytest.mark.parametrize(
    ("fails", "code"),
    [
        ("open", "camera-missing"),
        ("configure", "camera-failed"),
        ("start", "camera-failed"),
        ("silent", "camera-missing"),
    ],
)
def test_a_camera_that_does_not_come_up_is_closed_and_said(
    fails: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.capture.picamera.OPEN_S", 0.05)
    source, camera = pi(fails=fails)
    with pytest.raises(TroubleError) as caught:
        source.open()
    assert caught.value.code == code
    assert camera.closed == (fails != "open")


def test_parameters_that_change_are_a_new_stream() -> None:
    source, camera = pi()
    source.open()
    source.read(1.0)
    camera.encoder.sets = camera.encoder.sets.replace(b"\x42", b"\x4d", 1)
    for number in range(1, 25):
        camera.frame(number * 100_000, 120)
    old = source.read(1.0).packets
    assert len(old) == 19
    with pytest.raises(TroubleError) as caught:
        source.read(1.0)
    assert caught.value.code == "camera-changed"
    source.close()


def test_stamps_of_another_clock_are_moved_to_boot_time() -> None:
    camera = FakePicamera2(MAIN, LORES)
    source = PicameraSource(Camera(), HandClock(now_ns=77 * NS), lambda: FakeStack(camera))
    source.open()
    camera.frame(100_000, 120)
    moment = source.read(1.0)
    packets: tuple[Packet, ...] = moment.packets
    assert [packet.capture_ns for packet in packets] == [77 * NS, 77 * NS + NS // 10]
    source.close()


def test_a_format_without_luma_is_refused() -> None:
    with pytest.raises(TroubleError, match="XBGR8888"):
        read_stream({"format": "XBGR8888", "size": (64, 48), "stride": 256})


def test_a_machine_without_picamera2_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Callable[[], None]:
        raise ImportError(name)

    monkeypatch.setattr("agent.capture.picamera_stack.importlib.import_module", missing)
    with pytest.raises(TroubleError, match="apt install python3-picamera2") as caught:
        load_stack()
    assert caught.value.code == "camera-missing"
