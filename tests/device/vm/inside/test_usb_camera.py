"""`v4l2:` on the kernel's USB camera driver: MJPEG, H.264 passed through, a hanging camera, the plug pulled."""

import time
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

from agent.capture.open_source import open_source
from agent.capture.resilient import Resilient
from agent.capture.x264 import Encoder
from tests.device.vm.inside import vivid
from tests.device.vm.inside.test_v4l2 import LEFT_HALF, code, fault_after, first, holders, packets_of, refusal
from tests.device.vm.inside.usb_camera import FPS, H264, MJPEG, SIZE, UsbCamera, nodes
from tests.fakes.capture_camera import NS, BootClock, Camera, decode, picture

Films = dict[int, list[bytes]]


@pytest.fixture(scope="module")
def films() -> Films:
    """Four seconds in each format."""
    vivid.load("vivid", "usb")
    shots = [picture(number, *SIZE) for number in range(4 * FPS)]
    encoder = Encoder(*SIZE, fps=FPS, bitrate=500_000)
    h264 = []
    for number, shot in enumerate(shots):
        encoder.canvas.luma[:] = shot[:, :, 0]
        encoder.canvas.blue[:] = encoder.canvas.red[:] = 128
        packet = encoder.encode(NS + number * NS // FPS)
        h264.append((encoder.extradata if packet.is_keyframe else b"") + bytes(packet.data))
    return {MJPEG: [cv2.imencode(".jpg", shot)[1].tobytes() for shot in shots], H264: h264}


@pytest.fixture
def camera(films: Films) -> Iterator[UsbCamera]:
    camera = UsbCamera(films)
    yield camera
    camera.unplug()


def settings(form: str) -> Camera:
    return Camera(source=f"v4l2:{nodes()[0]}?input_format={form}", size=SIZE, fps=FPS)


@pytest.mark.usefixtures("camera")
def test_motion_jpeg_is_decoded_and_encoded_anew() -> None:
    source = open_source(settings("mjpeg"), BootClock())
    try:
        info = source.open()
        moments = [source.read(5.0) for _ in range(15)]
    finally:
        source.close()
    assert (info.width, info.height, info.fps) == (*SIZE, FPS)
    packets = packets_of(moments)
    shown = [
        frame.to_ndarray(format="gray").astype(int) for frame in decode(info.extradata, [p.data for p in packets])
    ]
    assert len(shown) == len(packets)
    assert all(abs(np.median(one) - 120) < 4 for one in shown)  # the grey field, full range
    assert np.abs(shown[-1] - shown[0]).max() > 20  # the square moves


@pytest.mark.usefixtures("camera")
def test_h264_is_passed_through_byte_for_byte_unless_something_is_hidden(films: Films) -> None:
    source = open_source(settings("h264"), BootClock())
    try:
        info = source.open()
        packets = packets_of([source.read(5.0) for _ in range(15)])
    finally:
        source.close()
    sent = [unit.replace(b"\0\0\0\1", b"\0\0\1") for unit in films[H264]]
    got = [bytes(packet.data).replace(b"\0\0\0\1", b"\0\0\1") for packet in packets]
    assert all(any(unit.endswith(one) for unit in sent) for one in got)
    assert packets[0].is_keyframe
    assert len(decode(info.extradata, [packet.data for packet in packets])) == len(packets)
    hiding = open_source(replace(settings("h264"), privacy_zones=(LEFT_HALF,)), BootClock())
    try:
        info = hiding.open()
        packets = packets_of([hiding.read(5.0) for _ in range(3)])
    finally:
        hiding.close()
    assert info.masked == 1
    for frame in decode(info.extradata, [packet.data for packet in packets]):
        luma = frame.to_ndarray(format="yuv420p")[: SIZE[1]]
        assert luma[:, :156].max() < 32
        assert luma[:, 164:].max() > 100


def test_a_camera_that_hangs_is_noticed_let_go_and_started_again(camera: UsbCamera) -> None:
    clock = BootClock()
    eyes = Resilient(open_source(settings("mjpeg"), clock), clock, delay_s=lambda _: 0.2)
    device = nodes()[0]
    try:
        first(eyes)
        camera.frozen.set()
        assert fault_after(eyes, time.monotonic()).code == "camera-frozen"
        assert holders(device) == 0
        camera.frozen.clear()
        first(eyes)
        assert (code(eyes), eyes.generation) == ("", 2)
    finally:
        eyes.close()


def test_a_camera_whose_plug_is_pulled_is_missing_until_it_is_back(films: Films) -> None:
    clock = BootClock()
    camera = UsbCamera(films)
    device = nodes()[0]
    eyes = Resilient(open_source(settings("mjpeg"), clock), clock, delay_s=lambda _: 0.2)
    try:
        first(eyes)
        camera.unplug()
        assert fault_after(eyes, time.monotonic()).code == "camera-failed"
        assert eyes.read(1.0) is None
        assert str(eyes.fault) == f"there is no {device}; check its cable and [camera] source"
        camera = UsbCamera(films)
        assert nodes()[0] == device
        assert first(eyes).packets[0].is_keyframe
        assert (code(eyes), eyes.generation) == ("", 2)
    finally:
        eyes.close()
        camera.unplug()


@pytest.mark.usefixtures("camera")
def test_the_second_device_of_a_usb_camera_is_no_camera() -> None:
    metadata = nodes()[1]
    said = f"{metadata} is not a camera; check [camera] source"
    assert refusal(f"v4l2:{metadata}") == ("camera-unreadable", said)
