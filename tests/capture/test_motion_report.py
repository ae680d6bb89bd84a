"""`doorbell motion`: what it prints, draws and answers when it cannot."""

import argparse
import json
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from agent.capture.motion_report import add_arguments, run

FRAMES = 120


def pictures() -> list[npt.NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    base = np.kron(rng.uniform(60, 190, (30, 40)), np.ones((8, 8))).astype(np.uint8)
    shots = []
    for n in range(FRAMES):
        shot = base.copy()
        x = (n - 40) * 5
        if x > 0:
            shot[120:190, max(0, x - 24) : x] = 20
        shots.append(shot)
    return shots


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("pictures")
    for n, shot in enumerate(pictures()):
        cv2.imwrite(str(made / f"in{n}.png"), shot)
    return made


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("video") / "walk.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for shot in pictures():
            frame = av.VideoFrame.from_ndarray(shot, format="gray").reformat(format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def call(*words: object) -> int:
    parser = argparse.ArgumentParser(prog="doorbell motion")
    add_arguments(parser)
    return run(parser.parse_args([str(word) for word in words]))


def test_json_has_one_line_a_frame_and_a_last_line_with_the_events(
    video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(video, "--json") == 0
    *lines, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert [line["n"] for line in lines] == list(range(FRAMES))
    assert lines[10] == {"n": 10, "t_ms": 1000, "score": 0.0, "motion": False, "box": None, "why": "still"}
    assert last["frames"] == FRAMES
    assert last["us_per_frame"] > 0
    assert len(last["events"]) == 1
    first, end = last["events"][0]
    assert 38 <= first <= 46
    assert 100 <= end <= 115
    assert [line["n"] for line in lines if line["motion"]] == list(range(first, end + 1))
    assert len(lines[60]["box"]) == 4


def test_a_folder_of_numbered_pictures_is_a_video_with_its_own_frame_rate(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(folder, "--fps", 10, "--json") == 0
    *lines, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert lines[11]["t_ms"] == 1100
    assert len(last["events"]) == 1


def test_text_says_when_and_how_many(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(video, "--size", "160x120") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("0:04.")
    assert out[-1].startswith("1 event in 120 frames")


def test_the_plot_is_a_picture_with_the_event_in_it(video: Path, tmp_path: Path) -> None:
    assert call(video, "--plot", tmp_path / "out.png") == 0
    drawn = cv2.imread(str(tmp_path / "out.png"))
    assert drawn is not None
    assert drawn.shape == (400, 1280, 3)
    assert (drawn == (190, 235, 200)).all(axis=2).any()


@pytest.mark.parametrize("make", ["missing", "text", "empty", "sound"])
def test_what_cannot_be_read_is_one_line_and_exit_1(
    make: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / make
    if make == "text":
        path.write_text("no video at all\n" * 100)
    elif make == "empty":
        path.mkdir()
    elif make == "sound":
        path = tmp_path / "sound.wav"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=8000)
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
            sound.sample_rate = 8000
            container.mux(stream.encode(sound))
    assert call(path) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert str(path) in captured.err


def test_a_plot_that_cannot_be_written_is_one_line_and_exit_1(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(video, "--plot", tmp_path / "no" / "folder.png") == 1
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("x.mp4", "--size", "320"),
        ("x.mp4", "--size", "8x8"),
        ("x.mp4", "--fps", "0"),
        ("x.mp4", "--plot", "x"),
        (),
    ],
)
def test_wrong_usage_is_exit_2(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as stopped:
        call(*words)
    assert stopped.value.code == 2
