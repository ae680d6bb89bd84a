"""`file:` sources: real files through the real decoder."""

import errno
import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from agent.capture import h264
from agent.capture.open_source import open_source
from agent.capture.paced_source import PacedSource
from agent.capture.source import Moment, Packet, Source
from agent.core.errors import TroubleError
from tests.fakes.capture_camera import (
    NS,
    BootClock,
    Camera,
    Clip,
    HandClock,
    decode,
    packets_of,
    picture,
    write_clip,
)

FAST = "?realtime=0"
ZONE = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


def file_source(path: Path, query: str = FAST, **camera: object) -> Source:
    settings = replace(Camera(source=f"file:{path}{query}"), **camera)  # type: ignore[arg-type]  # any of its fields
    return open_source(settings, HandClock())


def read_all(source: Source, most: int = 10_000) -> list[Moment]:
    moments: list[Moment] = []
    try:
        while len(moments) < most:
            moment = source.read(1.0)
            moments.append(replace(moment, luma=moment.luma.copy()))
    except TroubleError as trouble:
        assert trouble.code == "camera-ended"  # noqa: PT017 - the end of a file is how this loop ends
    return moments


def packets(moments: list[Moment]) -> list[Packet]:
    return [packet for moment in moments for packet in moment.packets]


def test_h264_without_b_frames_is_passed_through_unchanged(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", Clip(frames=30))
    source = file_source(path)
    info = source.open()
    out = packets(read_all(source))
    source.close()
    expected = []
    for raw in packets_of(path):
        unit = h264.avcc_to_annexb(bytearray(raw), 4)
        expected.append(bytes(unit[h264.split_head(unit)[1] :]))
    assert [bytes(packet.data) for packet in out] == expected
    assert info.masked == 0
    assert info.codec.startswith("avc1.")
    assert (info.width, info.height, info.fps) == (320, 180, 10.0)
    assert [packet.is_keyframe for packet in out] == [n % 10 == 0 for n in range(30)]


def test_passed_packets_hold_no_parameter_sets_and_decode_with_the_extradata(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", Clip(frames=20))
    source = file_source(path)
    info = source.open()
    out = packets(read_all(source))
    source.close()
    assert all(h264.split_head(packet.data)[0] == b"" for packet in out)
    assert all(bytes(packet.data[:4]) == b"\0\0\0\1" or bytes(packet.data[:3]) == b"\0\0\1" for packet in out)
    assert len(decode(info.extradata, [packet.data for packet in out])) == 20


@pytest.mark.parametrize("name", ["a.mkv", "a.ts", "a.h264", "a.mp4"])
def test_every_container_gives_the_same_pictures(tmp_path: Path, name: str) -> None:
    path = write_clip(tmp_path / name, Clip(frames=20))
    source = file_source(path)
    info = source.open()
    moments = read_all(source)
    source.close()
    frames = decode(info.extradata, [packet.data for packet in packets(moments)])
    assert len(frames) == len(moments) == 20
    shown = frames[7].to_ndarray(format="gray").astype(int)
    wanted = cv2.cvtColor(picture(7, 320, 180), cv2.COLOR_RGB2GRAY).astype(int)
    assert np.abs(shown - wanted).mean() < 12


def test_b_frames_are_encoded_anew_without_any_in_display_order(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "b.mp4", Clip(frames=30, options={"bf": "3", "g": "30"}))
    source = file_source(path)
    info = source.open()
    moments = read_all(source)
    source.close()
    out = packets(moments)
    assert len(out) == len(moments) == 30
    frames = decode(info.extradata, [packet.data for packet in out])
    assert {int(frame.pict_type) for frame in frames} <= {1, 2}  # I and P
    left = [float(np.flatnonzero(frame.to_ndarray(format="gray")[60] < 100).mean()) for frame in frames[:20]]
    assert left == sorted(left)
    stamps = [packet.capture_ns for packet in out]
    assert stamps == sorted(set(stamps))


def test_encoded_key_frames_come_every_two_seconds(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "b.mp4", Clip(frames=65, options={"bf": "2", "g": "250"}))
    source = file_source(path)
    source.open()
    keys = [packet.capture_ns for packet in packets(read_all(source)) if packet.is_keyframe]
    source.close()
    assert (np.diff(keys) / NS).tolist() == pytest.approx([2.0, 2.0, 2.0], abs=0.06)


def test_a_privacy_zone_forces_encoding_and_hides_the_place_from_packets_and_luma(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", Clip(frames=12))
    source = file_source(path, privacy_zones=(ZONE,))
    info = source.open()
    moments = read_all(source)
    source.close()
    assert info.masked == 1
    for frame in decode(info.extradata, [packet.data for packet in packets(moments)]):
        luma = frame.to_ndarray(format="yuv420p")[:180]
        assert luma[:, :150].max() < 30
        assert luma[:, 180:].min() > 60
    for moment in moments:
        assert (moment.luma[:, :79] == 16).all()
        assert moment.luma[:, 84:].min() > 60


@pytest.mark.parametrize(
    ("codec", "pix_fmt"), [("mpeg4", "yuv420p"), ("mjpeg", "yuvj422p"), ("libx264", "yuv444p")]
)
def test_other_codecs_and_formats_are_encoded(tmp_path: Path, codec: str, pix_fmt: str) -> None:
    path = write_clip(tmp_path / "a.mkv", Clip(frames=10, codec=codec, pix_fmt=pix_fmt, options={}))
    source = file_source(path)
    info = source.open()
    moments = read_all(source)
    source.close()
    frames = decode(info.extradata, [packet.data for packet in packets(moments)])
    assert len(frames) == 10
    grey = frames[4].to_ndarray(format="gray")
    assert abs(int(grey[5, 5]) - 120) < 10


def test_a_phones_portrait_video_is_turned_upright(tmp_path: Path) -> None:
    flat = write_clip(tmp_path / "flat.mp4", Clip(frames=10))
    turned = tmp_path / "turned.mp4"
    command = ["ffmpeg", "-v", "error", "-i", str(flat), "-c", "copy", "-metadata:s:v:0", "rotate=90", str(turned)]
    subprocess.run(command, check=True)
    with av.open(str(turned)) as container:
        rotation = next(container.decode(video=0)).rotation
    if rotation not in (90, -90):
        pytest.skip("this ffmpeg writes no display matrix")
    source = file_source(turned)
    info = source.open()
    moments = read_all(source)
    source.close()
    assert (info.width, info.height) == (180, 320)
    shown = decode(info.extradata, [packet.data for packet in packets(moments)])[3].to_ndarray(format="gray")
    upright = np.rot90(cv2.cvtColor(picture(3, 320, 180), cv2.COLOR_RGB2GRAY), rotation // 90)
    assert np.abs(shown.astype(int) - upright).mean() < 12


def test_a_file_with_hardly_any_key_frame_is_encoded_anew(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", Clip(frames=250, options={"bf": "0", "g": "10000"}))
    source = file_source(path)
    source.open()
    keys = [packet.is_keyframe for packet in packets(read_all(source))]
    source.close()
    assert len(keys) == 250
    assert sum(keys) == 13


def test_odd_sizes_lose_one_line_when_they_are_encoded(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", Clip(frames=5, width=321, height=181, codec="ffv1", options={}))
    source = file_source(path)
    info = source.open()
    moments = read_all(source)
    source.close()
    assert (info.width, info.height) == (320, 180)
    assert moments[0].luma.shape == (90, 160)
    assert len(decode(info.extradata, [packet.data for packet in packets(moments)])) == 5


def test_a_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    stamps = [0, 40, 80, 400, 440, 1440, 1500, 1533, 1600, 2000]
    path = write_clip(tmp_path / "v.mkv", Clip(frames=10, stamps=stamps))
    source = file_source(path)
    source.open()
    moments = read_all(source)
    source.close()
    first = moments[0].capture_ns
    assert [round((moment.capture_ns - first) / 1e6) for moment in moments] == stamps
    assert [packet.capture_ns for packet in packets(moments)] == [moment.capture_ns for moment in moments]


def test_a_truncated_file_plays_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "a.mkv", Clip(frames=40))
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    source = file_source(cut)
    source.open()
    moments = read_all(source)
    source.close()
    assert 5 < len(moments) < 40


def test_damaged_bytes_are_survived_and_lost_frames_counted(tmp_path: Path) -> None:
    whole = bytearray(write_clip(tmp_path / "a.ts", Clip(frames=60)).read_bytes())
    rng = np.random.default_rng(1)
    for at in rng.integers(len(whole) // 3, len(whole) * 2 // 3, 60).tolist():
        whole[at] ^= 0x55
    path = tmp_path / "damaged.ts"
    path.write_bytes(whole)
    source = file_source(path)
    source.open()
    moments = read_all(source)
    source.close()
    assert len(moments) > 20
    assert source.count.given == len(moments)
    assert source.count.taken == source.count.given + source.count.dropped
    assert source.count.dropped == sum(moment.dropped for moment in moments)


def test_a_loop_goes_on_in_time_and_starts_with_a_key_frame(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", Clip(frames=7))
    source = file_source(path, "?loop=1&realtime=0")
    source.open()
    moments = read_all(source, 25)
    source.close()
    steps = np.diff([moment.capture_ns for moment in moments])
    assert (np.abs(steps - NS // 10) < 2_000_000).all()
    assert [n for n, packet in enumerate(packets(moments)) if packet.is_keyframe] == [0, 7, 14, 21]


def test_a_file_that_is_over_says_what_to_do(tmp_path: Path) -> None:
    source = file_source(write_clip(tmp_path / "a.mp4", Clip(frames=3)))
    source.open()
    for _ in range(3):
        source.read(1)
    with pytest.raises(TroubleError, match=r"loop=1") as caught:
        source.read(1)
    assert caught.value.code == "camera-ended"
    source.close()


def test_real_time_waits_for_each_frame_and_stamps_agree_with_the_wall_clock(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", Clip(frames=15, fps=30))
    clock = BootClock()
    source = open_source(Camera(source=f"file:{path}"), clock)
    source.open()
    late = []
    for _ in range(15):
        moment = source.read(1.0)
        late.append((clock.boot_ns() - moment.capture_ns) / NS)
    source.close()
    assert min(late) >= 0
    assert sorted(late)[7] < 0.02


def test_a_frame_that_is_not_due_is_no_frame_yet(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "v.mkv", Clip(frames=2, stamps=[0, 3000]))
    clock = HandClock()
    source = paced(open_source(Camera(source=f"file:{path}"), clock), clock)
    source.open()
    source.read(1.0)
    for _ in range(2):
        with pytest.raises(TroubleError) as caught:
            source.read(1.0)
        assert caught.value.code == "not-due"
    assert source.read(1.5).capture_ns == 1003 * NS
    assert clock.now_ns == 1003 * NS
    source.close()


def test_a_reader_that_stood_still_finds_a_gap_not_a_rush(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", Clip(frames=10))
    clock = HandClock()
    source = paced(open_source(Camera(source=f"file:{path}"), clock), clock)
    source.open()
    first = source.read(1.0).capture_ns
    clock.now_ns += 30 * NS
    assert source.read(1.0).capture_ns == clock.now_ns == first + 30 * NS
    assert source.read(1.0).capture_ns == pytest.approx(first + 30 * NS + NS // 10, abs=NS // 100)
    source.close()


def test_a_reader_that_is_a_little_late_catches_up(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", Clip(frames=10))
    clock = HandClock()
    source = paced(open_source(Camera(source=f"file:{path}"), clock), clock)
    source.open()
    first = source.read(1.0).capture_ns
    clock.now_ns += NS
    slept = len(clock.slept)
    stamps = [source.read(1.0).capture_ns for _ in range(9)]
    assert stamps == pytest.approx([first + n * NS // 10 for n in range(1, 10)], abs=NS // 100)
    assert len(clock.slept) == slept
    source.close()


def paced(source: Source, clock: HandClock) -> PacedSource:
    assert isinstance(source, PacedSource)
    source._sleep = clock.sleep
    return source


def test_a_missing_file_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(TroubleError, match=r"there is no .*nothing\.mp4; check \[camera\] source") as caught:
        file_source(tmp_path / "nothing.mp4").open()
    assert caught.value.code == "camera-missing"


@pytest.mark.parametrize(
    "content", [b"", b"not a video at all\n" * 50, b"\0" * 4096, b"\0\0\0\x18ftypisom" + b"\0" * 64]
)
def test_a_file_that_is_no_video_is_said_plainly(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises(TroubleError, match=r"x\.mp4") as caught:
        file_source(path).open()
    assert caught.value.code == "camera-unreadable"
    assert "\n" not in str(caught.value)


def test_a_file_with_sound_only_is_said_plainly(tmp_path: Path) -> None:
    path = tmp_path / "sound.mka"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, 0, Fraction(1, 8000)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(TroubleError, match="no video") as caught:
        file_source(path).open()
    assert caught.value.code == "camera-unreadable"


def test_a_source_opens_again_after_trouble_and_after_close(tmp_path: Path) -> None:
    path = tmp_path / "late.mp4"
    source = file_source(path)
    with pytest.raises(TroubleError):
        source.open()
    shutil.copy(write_clip(tmp_path / "a.mp4", Clip(frames=3)), path)
    for _ in range(3):
        source.open()
        assert len(read_all(source)) == 3
        source.close()
        source.close()
    with pytest.raises(TroubleError):
        source.read(0.1)


def test_a_folder_of_numbered_pictures_plays_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 1, 0):
        cv2.imwrite(str(tmp_path / f"frame-{number}.png"), np.full((90, 160, 3), 40 + 10 * number, np.uint8))
    (tmp_path / "readme.txt").write_text("not a picture")
    source = file_source(tmp_path, "?realtime=0&fps=5")
    info = source.open()
    moments = read_all(source)
    source.close()
    assert info.fps == 5.0
    levels = [int(moment.luma.mean()) for moment in moments]
    assert levels == sorted(levels)
    assert len(set(levels)) == 4
    assert moments[1].capture_ns - moments[0].capture_ns == NS // 5


def test_a_folder_without_pictures_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(TroubleError, match="no JPEG or PNG") as caught:
        file_source(tmp_path).open()
    assert caught.value.code == "camera-missing"


def test_pictures_of_two_sizes_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((90, 160, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "2.png"), np.zeros((80, 160, 3), np.uint8))
    source = file_source(tmp_path)
    source.open()
    source.read(1)
    with pytest.raises(TroubleError) as caught:
        source.read(1)
    assert caught.value.code == "camera-changed"
    source.close()


def test_luma_of_the_wanted_size_is_a_view_of_the_decoders_picture(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", Clip(frames=4))
    source = file_source(path, motion_size=(320, 180))
    source.open()
    moments = [source.read(1.0) for _ in range(2)]
    assert moments[1].luma.shape == (180, 320)
    assert not moments[1].luma.flags.owndata
    source.close()


def test_a_name_that_the_system_does_not_take_is_trouble() -> None:
    source = file_source(Path("/" + "x" * 300))
    with pytest.raises(TroubleError) as caught:
        source.open()
    assert caught.value.code == "camera-unreadable"


def test_a_folder_that_may_not_be_read_is_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", forbidden)
    source = file_source(tmp_path)
    with pytest.raises(TroubleError, match="Permission denied") as caught:
        source.open()
    assert caught.value.code == "camera-unreadable"
