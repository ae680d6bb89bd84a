"""`rtsp:` through the real FFmpeg, and the pump that keeps it from blocking the house."""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agent.capture.live_source import rtsp_address, v4l2_address
from agent.capture.open_source import open_source
from agent.capture.pump import MOST_HANGING, Pump
from agent.capture.resilient import Resilient
from agent.capture.source import FrameCount, Moment, Packet, Source, StreamInfo
from agent.capture.v4l2_stop import stop_stream
from agent.core.errors import TroubleError
from tests.capture.test_file_source import file_source, packets, read_all
from tests.fakes.capture_camera import NS, BootClock, Camera, Clip, HandClock, decode, write_clip
from tests.fakes.capture_rtsp import FakeNetworkCamera, Film


def shoot(folder: Path, clip: Clip, *, inline: bool = False) -> Film:
    """Make a film; `inline` repeats the parameter sets before each key frame."""
    source = file_source(write_clip(folder / "a.mp4", clip))
    info = source.open()
    out = packets(read_all(source))
    source.close()
    units = [(info.extradata if inline and one.is_keyframe else b"") + bytes(one.data) for one in out]
    return Film(units, info.extradata, 25)


DAY = Clip(frames=60, fps=25, options={"bf": "0", "g": "25"})


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    return shoot(tmp_path_factory.mktemp("film"), DAY)


@pytest.fixture
def camera(film: Film) -> Iterator[FakeNetworkCamera]:
    with FakeNetworkCamera(film) as camera:
        yield camera


def rtsp(url: str) -> Source:
    return open_source(Camera(source=url), BootClock())


def watch(source: Source, frames: int) -> tuple[list[Moment], list[Packet]]:
    moments = [source.read(3.0) for _ in range(frames)]
    return moments, packets(moments)


def test_a_network_cameras_packets_are_passed_through(camera: FakeNetworkCamera, film: Film) -> None:
    source = rtsp(camera.url)
    info = source.open()
    _, out = watch(source, 60)
    source.close()
    assert (info.width, info.height) == (320, 180)
    assert out[0].is_keyframe
    strip = [bytes(packet.data).replace(b"\0\0\0\1", b"\0\0\1") for packet in out]
    sent = [unit.replace(b"\0\0\0\1", b"\0\0\1") for unit in film.units]
    assert all(unit in sent for unit in strip)
    assert len(decode(info.extradata, [packet.data for packet in out])) == len(out) >= 50


def test_stamps_of_a_network_camera_are_close_to_now_and_even(camera: FakeNetworkCamera) -> None:
    source = rtsp(camera.url)
    source.open()
    watch(source, 40)
    moments, _ = watch(source, 40)
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    source.close()
    assert 0 <= (now - moments[-1].capture_ns) / NS < 0.5
    stamps = [packet.capture_ns for packet in packets(moments)]
    assert stamps == sorted(set(stamps))
    assert abs(float(np.median(np.diff(stamps))) / NS - 0.04) < 0.005


def test_silence_is_no_frame_within_the_time_that_was_asked(camera: FakeNetworkCamera) -> None:
    source = rtsp(camera.url)
    source.open()
    watch(source, 5)
    camera.sending.clear()
    time.sleep(0.3)
    began = time.monotonic()
    with pytest.raises(TroubleError) as caught:
        for _ in range(3):
            source.read(0.2)
    assert caught.value.code == "camera-frozen"
    assert time.monotonic() - began < 1.0
    camera.sending.set()
    assert source.read(2.0) is not None
    source.close()


def test_a_camera_that_hangs_up_is_opened_again_and_starts_with_a_key_frame(camera: FakeNetworkCamera) -> None:
    clock = BootClock()
    eyes = Resilient(open_source(Camera(source=camera.url), clock), clock, delay_s=lambda _: 0.1)
    first = next(moment for moment in iter(lambda: eyes.read(2.0), 0) if moment)
    camera.hang_up()
    again: list[Packet] = []
    while len(again) < 20:
        moment = eyes.read(2.0)
        if moment is not None and eyes.generation > 1:
            again += moment.packets
    eyes.close()
    assert again[0].is_keyframe
    assert again[0].capture_ns > first.capture_ns
    assert eyes.fault is None
    assert camera.viewers == 2


def test_a_late_reader_gets_the_newest_frame_and_every_packet(camera: FakeNetworkCamera) -> None:
    source = rtsp(camera.url)
    source.open()
    watch(source, 10)
    time.sleep(0.6)
    moment = source.read(1.0)
    source.close()
    assert len(moment.packets) >= 10
    assert moment.dropped == 0
    assert moment.capture_ns == moment.packets[-1].capture_ns
    assert source.count.taken == source.count.given


@pytest.mark.parametrize(
    "night",
    [
        Clip(frames=60, fps=25, width=640, height=360, options={"bf": "0", "g": "25"}),
        Clip(frames=60, fps=25, options={"bf": "0", "g": "25", "profile": "high", "level": "4.0", "refs": "4"}),
    ],
    ids=["another size", "other parameters"],
)
def test_a_camera_that_changes_its_picture_at_night_is_a_new_stream(tmp_path: Path, night: Clip) -> None:
    clock = BootClock()
    with FakeNetworkCamera(shoot(tmp_path, DAY, inline=True)) as camera:
        eyes = Resilient(open_source(Camera(source=camera.url), clock), clock, delay_s=lambda _: 0.1)
        while eyes.read(2.0) is None:
            pass
        by_day = eyes.info
        camera.film = shoot(tmp_path, night, inline=True)
        faults: set[str] = set()
        out: list[Packet] = []
        while len(out) < 30:
            moment = eyes.read(2.0)
            faults.add(eyes.fault.code if eyes.fault else "")
            if moment is not None and eyes.generation > 1:
                out += moment.packets
        by_night = eyes.info
        eyes.close()
    assert "camera-changed" in faults
    assert by_day is not None
    assert by_night is not None
    assert by_day.extradata != by_night.extradata
    assert (by_night.width, by_night.height) == (night.width, night.height)
    assert out[0].is_keyframe
    assert len(decode(by_night.extradata, [packet.data for packet in out])) == len(out)


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_a_password_is_used_and_never_shown(film: Film, password: str) -> None:
    with FakeNetworkCamera(film, password="right") as camera:
        source = rtsp(camera.url.replace("rtsp://", f"rtsp://owner:{password}@"))
        if password == "right":
            source.open()
            source.close()
            return
        with pytest.raises(TroubleError, match="password") as caught:
            source.open()
        assert caught.value.code == "camera-unreadable"
        assert "wrong" not in str(caught.value)


def test_nobody_there_is_said_plainly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(TroubleError, match="does not answer") as caught:
        rtsp(f"rtsp://127.0.0.1:{port}/x").open()
    assert caught.value.code == "camera-missing"


def test_addresses_are_shown_without_secrets() -> None:
    address = rtsp_address("rtsp://owner:secret@[::1]:8554/user=a&password=secret?token=secret#secret")
    assert address.shown == "rtsp://[::1]:8554"
    assert "secret" not in repr(address)


def test_a_video_device_is_asked_for_the_configured_picture() -> None:
    address = v4l2_address("/dev/video9", Camera(size=(640, 480), fps=30), {"input_format": "mjpeg"})
    assert address.options == {"video_size": "640x480", "framerate": "30", "input_format": "mjpeg"}
    with pytest.raises(TroubleError, match="/dev/video-nothing") as caught:
        open_source(Camera(source="v4l2:/dev/video-nothing"), HandClock()).open()
    assert caught.value.code == "camera-missing"


class StuckCamera:
    """A driver that never comes back."""

    def __init__(self) -> None:
        self.count = FrameCount()
        self.release = threading.Event()

    def open(self) -> StreamInfo:
        self.release.wait(20)
        raise TroubleError("camera-failed", "it came back")

    def read(self, timeout_s: float) -> Moment:
        raise AssertionError(timeout_s)

    def close(self) -> None:
        """Nothing is open."""


def test_a_driver_that_hangs_costs_two_threads_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.capture.pump.OPEN_S", 0.05)
    monkeypatch.setattr("agent.capture.pump.CLOSE_S", 0.05)
    stuck: list[StuckCamera] = []

    def make() -> StuckCamera:
        stuck.append(StuckCamera())
        return stuck[-1]

    pump = Pump(make, "stuck")
    codes = []
    for _ in range(4):
        with pytest.raises(TroubleError) as caught:
            pump.open()
        codes.append(caught.value.code)
    assert codes == ["camera-missing"] * MOST_HANGING + ["camera-failed"] * 2
    assert len(stuck) == MOST_HANGING
    for one in stuck:
        one.release.set()
    for thread in pump._hanging:
        thread.join(5)
        assert not thread.is_alive()


def test_a_driver_that_can_be_woken_leaves_no_thread_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.capture.pump.OPEN_S", 0.05)
    stuck = StuckCamera()
    pump = Pump(lambda: stuck, "stuck", stuck.release.set)
    for _ in range(MOST_HANGING + 1):
        stuck.release.clear()
        with pytest.raises(TroubleError, match="does not answer"):
            pump.open()
    assert pump._hanging == []


def test_only_a_stream_of_the_device_itself_is_stopped() -> None:
    with Path("/dev/null").open("rb") as other:  # the same device, but not one that streams
        stop_stream("/dev/null")
        stop_stream("/dev/video-nothing")
        assert other.read() == b""


GST_SERVER = """
import sys, gi
gi.require_version("Gst", "1.0"); gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server = GstRtspServer.RTSPServer(address="127.0.0.1", service="0")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch("( filesrc location=" + sys.argv[1] + " ! qtdemux ! h264parse ! rtph264pay name=pay0 pt=96 )")
factory.set_shared(True)
server.get_mount_points().add_factory("/door", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
"""


def has_gst_rtsp_server() -> bool:
    python = shutil.which("python3", path="/usr/bin")
    probe = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    return (
        python is not None
        and subprocess.run([python, "-c", probe], check=False, capture_output=True).returncode == 0
    )


@pytest.mark.skipif(not has_gst_rtsp_server(), reason="gir1.2-gst-rtsp-server-1.0 is not installed")
def test_gstreamers_rtsp_server_is_understood(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", Clip(frames=250, fps=25, options={"bf": "0", "g": "25"}))
    with subprocess.Popen(["/usr/bin/python3", "-c", GST_SERVER, str(path)], stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            source = rtsp(f"rtsp://127.0.0.1:{port}/door")
            info = source.open()
            moments, out = watch(source, 75)
            source.close()
        finally:
            server.terminate()
    assert (info.width, info.height, info.masked) == (320, 180, 0)
    frames = decode(info.extradata, [packet.data for packet in out])
    assert len(frames) == len(out) >= 70
    assert abs(float(np.median(np.diff([moment.capture_ns for moment in moments]))) / NS - 0.04) < 0.005
    assert sum(packet.is_keyframe for packet in out) >= 2
