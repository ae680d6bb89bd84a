"""The muxed segments against the protocol's vectors, and as other programs see them: ffprobe, PyAV."""

import base64
import io
import json
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from agent.buffer.mux_pyav import Muxer, ticks
from agent.buffer.packet import Packet
from agent.buffer.segment import Cutter
from agent.core.errors import BugError, RefusedError
from agent.core.segment_file import join_mp4, open_segment, split_init
from tests.fakes.buffer_film import FRAME_NS, film

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors/clips.json").read_text())["cases"]
CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mvex"}
S = 1_000_000_000


def boxes(raw: bytes, *, inside: str = "") -> Iterator[tuple[str, bytes]]:
    """Yield (path, body) of every box."""
    at = 0
    while at < len(raw):
        size, kind = struct.unpack(">I4s", raw[at : at + 8])
        name = f"{inside}/{kind.decode()}"
        yield name, raw[at + 8 : at + size]
        if kind in CONTAINERS:
            yield from boxes(raw[at + 8 : at + size], inside=name)
        at += size


def mux_clip(times_ns: Sequence[int], *, gop: int, segment_ns: int = S) -> list[bytes]:
    """Cut and mux a clip with frames at these times."""
    extradata, packets = film(times_ns, gop=gop)
    cutter = Cutter(segment_ns=segment_ns, frame_ns=FRAME_NS)
    segments = cutter.start("motion", packets) + cutter.close()
    muxer = Muxer(extradata, packets[0].data)
    films = [muxer.mux(one.packets, clip_ns=one.clip_ns, end_ns=one.end_ns) for one in segments]
    muxer.close()
    return films


def decoded_times(mp4: bytes) -> list[int]:
    """Return the times of all frames that a decoder gives, in 1/90000 s."""
    with av.open(io.BytesIO(mp4), "r") as container:
        return [int(frame.pts) for frame in container.decode(video=0) if frame.pts is not None]


@pytest.mark.parametrize("case", VECTORS, ids=[case["name"] for case in VECTORS])
def test_the_vectors_pictures_are_muxed_to_the_vectors_bytes(case: dict[str, Any]) -> None:
    opened = [
        open_segment(base64.b64decode(one["file"]), base64.b64decode(one["cek"])) for one in case["segments"]
    ]
    first = opened[0][1]
    with av.open(io.BytesIO(first), "r") as container:
        extradata = _annexb_sets(container.streams.video[0].codec_context.extradata or b"")
    muxer: Muxer | None = None
    origin_ms = opened[0][0].mono_ms
    for meta, expected in opened:
        packets = _packets_of(expected)
        end_ns = (meta.mono_ms - origin_ms + meta.end_ms - meta.start_ms) * 1_000_000
        muxer = muxer or Muxer(extradata, packets[0].data)
        got = muxer.mux(packets, clip_ns=0, end_ns=end_ns)
        moof, mdat = dict(boxes(got)), dict(boxes(expected))
        for name in ("/moof/traf/tfdt", "/moof/traf/trun", "/moof/traf/tfhd", "/moof/mfhd", "/mdat", "/ftyp"):
            assert moof[name] == mdat[name], name
        assert [name for name, _ in boxes(got)] == [name for name, _ in boxes(expected)]
        assert _avcc(got) == _avcc(expected)
    assert muxer is not None
    muxer.close()


def _avcc(mp4: bytes) -> bytes:
    init = split_init(mp4)
    at = init.index(b"avcC") - 4
    return init[at : at + int.from_bytes(init[at : at + 4], "big")]


def _annexb_sets(avcc: bytes) -> bytes:
    sps_bytes = int.from_bytes(avcc[6:8], "big")
    sps = avcc[8 : 8 + sps_bytes]
    pps_at = 8 + sps_bytes + 1
    pps_bytes = int.from_bytes(avcc[pps_at : pps_at + 2], "big")
    return b"\0\0\0\1" + sps + b"\0\0\0\1" + avcc[pps_at + 2 : pps_at + 2 + pps_bytes]


def _packets_of(mp4: bytes) -> list[Packet]:
    """Take a segment apart: samples in Annex B, times in ns since the clip's first frame."""
    packets = []
    with av.open(io.BytesIO(mp4), "r") as container:
        for one in container.demux(video=0):
            if one.size and one.pts is not None:
                data, annexb = bytes(one), b""
                while data:
                    size = int.from_bytes(data[:4], "big")
                    annexb += b"\0\0\0\1" + data[4 : 4 + size]
                    data = data[4 + size :]
                packets.append(Packet(memoryview(annexb), -(-one.pts * S // 90_000), one.is_keyframe))
    return packets


def test_every_segment_of_a_clip_carries_the_same_init_and_no_mfra() -> None:
    films = mux_clip([n * FRAME_NS for n in range(50)], gop=10)
    assert len(films) == 5
    assert len({split_init(one) for one in films}) == 1
    for one in films:
        assert [name for name, _ in boxes(one) if name.count("/") == 1] == ["/ftyp", "/moov", "/moof", "/mdat"]


def test_tfdt_is_the_time_since_the_clips_first_frame_and_the_last_sample_reaches_the_next_segment() -> None:
    times = [5 * S + n * FRAME_NS for n in range(30)]
    times[20:] = [time + 1_700_000_000 for time in times[20:]]  # 17 frames lost before the third segment
    films = mux_clip(times, gop=10)
    starts = [int.from_bytes(dict(boxes(one))["/moof/traf/tfdt"][4:], "big") for one in films]
    assert starts == [0, 90_000, 90_000 * 37 // 10]
    assert decoded_times(join_mp4(films)) == [ticks(time - times[0]) for time in times]
    with av.open(io.BytesIO(films[1]), "r") as container:
        last = [one for one in container.demux(video=0) if one.size][-1]
        assert last.pts is not None
        assert last.pts + (last.duration or 0) == starts[2]


@pytest.mark.parametrize(
    "steps",
    [
        [FRAME_NS] * 59,
        [33_366_667, 33_366_666] * 30,
        [FRAME_NS, FRAME_NS // 7, 3 * FRAME_NS, 1_000] * 15,
        [11_112] * 60,
    ],
    ids=["even", "ntsc", "variable", "a thousandth of a second in all"],
)
def test_a_joined_clip_keeps_every_frame_at_its_own_time(steps: list[int]) -> None:
    times = [0]
    for step in steps:
        times.append(times[-1] + step)
    joined = join_mp4(mux_clip(times, gop=10))
    assert len(decoded_times(joined)) == len(times)
    assert all(abs(got - ticks(time)) <= 1 for got, time in zip(decoded_times(joined), times, strict=True))


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed")
def test_ffprobe_reads_joined_and_trimmed_clips_without_a_word(tmp_path: Path) -> None:
    films = mux_clip([n * FRAME_NS for n in range(60)], gop=10)
    for name, kept, frames in (("whole", films, 60), ("trimmed", films[2:5], 30)):
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(join_mp4(kept))
        command = ["ffprobe", "-v", "warning", "-of", "json", "-count_frames", "-show_frames", "-show_streams"]
        done = subprocess.run([*command, str(path)], capture_output=True, check=True)
        assert done.stderr == b""
        found = json.loads(done.stdout)
        assert int(found["streams"][0]["nb_read_frames"]) == frames
        assert found["streams"][0]["time_base"] == "1/90000"
        pts = [int(one["pts"]) for one in found["frames"]]
        assert all(b - a == 9_000 for a, b in pairwise(pts))


def test_frames_that_ffmpeg_does_not_take_are_refused_and_the_next_are_muxed() -> None:
    extradata, packets = film([n * FRAME_NS for n in range(3)], gop=3)
    muxer = Muxer(extradata, packets[0].data)
    with pytest.raises(RefusedError) as caught:
        muxer.mux(packets, clip_ns=0, end_ns=7 * 3_600 * S)  # a sample of more than 2^31 ticks
    assert caught.value.code == "h264"
    assert len(decoded_times(muxer.mux(packets, clip_ns=0, end_ns=S))) == 3
    muxer.close()


def test_frames_that_do_not_rise_are_a_bug() -> None:
    extradata, packets = film([0, 1, 2], gop=10)
    muxer = Muxer(extradata, packets[0].data)
    with pytest.raises(BugError):
        muxer.mux([packets[0], packets[2], packets[1]], clip_ns=0, end_ns=10)
    with pytest.raises(BugError):
        muxer.mux(packets, clip_ns=0, end_ns=2)
    with pytest.raises(BugError):
        muxer.mux([], clip_ns=0, end_ns=2)
    muxer.close()


@pytest.mark.parametrize("extradata", [b"", b"\0\0\0\1\x67\x42", b"no h264 at all"])
def test_a_stream_without_parameter_sets_is_refused(extradata: bytes) -> None:
    with pytest.raises(RefusedError):
        Muxer(extradata, b"\0\0\0\1\x65\x88")
