"""`doorbell check-config`: every value is said, no secret is, and what no process would take is refused."""

import json
from pathlib import Path

import pytest

from agent.__main__ import main
from tests.fakes.vault_rig import make_config


def check(folder: Path, *words: str, **sections: str) -> int:
    return main(["check-config", "--config", str(make_config(folder, **sections).path), *words])


def with_source(folder: Path, source: str, *words: str) -> int:
    path = make_config(folder).path
    path.write_text(path.read_text().replace("scene:porch", source))
    return main(["check-config", "--config", str(path), *words])


def test_every_value_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path) == 0
    said = capsys.readouterr().out
    assert "in order" in said
    assert "camera.source = scene:porch" in said
    assert "platform.broker = mqtts://localhost" in said
    assert check(tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["consent"]["grace_s"] == "60"


def test_no_secret_of_an_address_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--json"]):
        assert with_source(tmp_path, "rtsp://admin:hunter2@192.168.1.20/password=hunter2?key=hunter2", *words) == 0
        said = capsys.readouterr().out
        assert "rtsp://192.168.1.20" in said
        assert "hunter2" not in said
        assert "admin" not in said
    assert check(tmp_path, notify='urls = ["mailto://user:hunter2@example.org"]') == 0
    assert "hunter2" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("file:clip.mp4?loop=2", "loop=0 or loop=1"),
        ("scene:porch?speed=2", "seed, period_s, realtime"),
        ("v4l2:/dev/video0?loop=1", "input_format"),
    ],
)
def test_a_camera_that_the_recorder_would_refuse_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, said: str
) -> None:
    assert with_source(tmp_path, source) == 2
    answer = capsys.readouterr()
    assert said in answer.err
    assert len(answer.err.strip().split("\n")) == 1
    assert answer.out == ""


@pytest.mark.parametrize(
    ("was", "instead"),
    [
        ("mqtts://localhost", "mqtts://broker_1.example"),
        ("mqtts://localhost", "mqtts://broker.example:99999"),
        ("mqtts://localhost", "mqtt://broker.example"),
        ("https://localhost/d", "https://directory_1.example/d"),
    ],
)
def test_an_address_that_uplink_would_refuse_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], was: str, instead: str
) -> None:
    path = make_config(tmp_path).path
    path.write_text(path.read_text().replace(was, instead))
    assert main(["check-config", "--config", str(path)]) == 2
    answer = capsys.readouterr()
    assert "[platform] " in answer.err
    assert len(answer.err.strip().split("\n")) == 1
