"""Shrinking and encoding, the steps between a decoded picture and a packet."""

import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame

from agent.capture.luma import Shrinker
from agent.capture.pyav_input import Shape, Unit
from agent.capture.source import Luma
from agent.capture.stage import Encoding, make_stage
from agent.capture.x264 import Encoder
from agent.core.errors import TroubleError
from tests.fakes.capture_camera import NS, Camera, decode, picture


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720), (768, 432), (641, 361), (320, 240), (200, 100)])
def test_the_small_luma_is_the_mean_of_what_it_covers(size: tuple[int, int]) -> None:
    width, height = size
    across, down = np.meshgrid(np.linspace(0, 200, width), np.linspace(0, 50, height))
    plane: Luma = (across + down).astype(np.uint8)
    small = Shrinker(width, height, (320, 240)).shrink(plane)
    expected = cv2.resize(plane, (320, 240), interpolation=cv2.INTER_AREA)
    assert small.shape == (240, 320)
    assert np.abs(small.astype(int) - expected).max() <= 2


def test_shrinking_allocates_nothing_anew_and_copies_nothing_that_fits() -> None:
    plane = np.zeros((720, 1280), np.uint8)
    shrinker = Shrinker(1280, 720, (320, 240))
    assert shrinker.shrink(plane) is shrinker.shrink(plane)
    fitting = np.zeros((240, 320), np.uint8)
    assert Shrinker(320, 240, (320, 240)).shrink(fitting) is fitting


def test_every_picture_gives_one_packet_that_no_later_picture_changes() -> None:
    encoder = Encoder(320, 180, fps=10, bitrate=1_000_000)
    packets = []
    for number in range(30):
        encoder.canvas.luma[:] = cv2.cvtColor(picture(number, 320, 180), cv2.COLOR_RGB2GRAY)
        encoder.canvas.blue[:] = encoder.canvas.red[:] = 128
        packets.append(encoder.encode(5 * NS + number * NS // 10))
        encoder.canvas.luma[:] = 0
    frames = decode(encoder.extradata, [packet.data for packet in packets])
    assert len(frames) == 30
    for number in (0, 7, 29):
        shown = frames[number].to_ndarray(format="yuv420p")[:180].astype(int)
        assert np.abs(shown - cv2.cvtColor(picture(number, 320, 180), cv2.COLOR_RGB2GRAY)).mean() < 6
    assert [packet.capture_ns for packet in packets] == [5 * NS + n * NS // 10 for n in range(30)]


def test_key_frames_follow_time_when_frames_are_missing() -> None:
    encoder = Encoder(64, 64, fps=25, bitrate=200_000)
    stamps = [0, 40, 80, 1500, 1990, 2030, 2070, 9000, 9040]
    keys = [encoder.encode((100_000 + ms) * 1_000_000).is_keyframe for ms in stamps]
    assert [ms for ms, key in zip(stamps, keys, strict=True) if key] == [0, 1990, 9000]


@pytest.mark.parametrize("side", [20_000, 63])
def test_an_impossible_picture_is_said_plainly(side: int) -> None:
    with pytest.raises(TroubleError, match=r"\[camera\] size") as caught:
        Encoder(side, side, fps=10, bitrate=1_000_000)
    assert caught.value.code == "camera-failed"


def test_full_range_pictures_keep_their_levels() -> None:
    shape = Shape(64, 48, 10.0, passable=False, extradata=b"", colour={"color_range": 2})
    stage = Encoding(shape, Camera())
    frame = VideoFrame.from_ndarray(np.full((48, 64, 3), 255, np.uint8), format="rgb24").reformat(
        format="yuvj420p"
    )
    _, packets = stage.work(Unit(0, None, frame), NS)
    shown = decode(stage.info.extradata, [packets[0].data])[0]
    assert shown.to_ndarray(format="rgb24").min() > 250


def test_a_failing_zone_gives_no_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = Shape(64, 48, 10.0, passable=False, extradata=b"", colour={})
    unit = Unit(0, None, VideoFrame(64, 48, "yuv420p"))
    zone = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5))
    stage = make_stage(shape, unit, Camera(privacy_zones=(zone,)))
    assert stage.info.masked == 1
    encoded = []
    monkeypatch.setattr(Encoder, "encode", lambda *a: encoded.append(a))
    monkeypatch.setattr("agent.capture.zones.np.copyto", None)
    with pytest.raises(TypeError):
        stage.work(unit, NS)
    assert encoded == []
