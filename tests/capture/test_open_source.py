"""`[camera] source`: what is allowed, and what is said about the rest."""

import pytest

from agent.capture.open_source import open_source
from agent.capture.paced_source import PacedSource
from agent.capture.picamera import PicameraSource
from agent.capture.pump import Pump
from agent.core.errors import ConfigError
from tests.fakes.capture_camera import Camera, HandClock


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("picamera", PicameraSource),
        ("v4l2:/dev/video0", Pump),
        ("v4l2:/dev/video0?input_format=mjpeg", Pump),
        ("rtsp://user:word@camera.home/stream?channel=1", Pump),
        ("file:clip.mp4", PacedSource),
        ("file:/a/b c.mp4?loop=1", PacedSource),
        ("scene:porch", PacedSource),
        ("scene:rain?seed=4&period_s=12", PacedSource),
    ],
)
def test_every_kind_of_source_is_made_without_opening_it(text: str, kind: type) -> None:
    assert isinstance(open_source(Camera(source=text), HandClock()), kind)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", "picamera"),
        ("webcam", "picamera"),
        ("file:", "picamera"),
        ("http://x/y", "picamera"),
        ("scene:moon", "scene:porch"),
        ("scene:porch?sed=1", "seed"),
        ("file:a.mp4?loop=yes", "loop=0 or loop=1"),
        ("file:a.mp4?fps=0", "fps above 0"),
        ("file:a.mp4?fps=nan", "fps above 0"),
        ("file:a.mp4?speed=2", "loop, realtime, fps"),
        ("file:a.mp4?", "loop, realtime, fps"),
        ("scene:porch?period_s=-3", "period_s above 0"),
        ("v4l2:/dev/video0?size=1", "input_format"),
    ],
)
def test_anything_else_is_one_line_with_what_is_allowed(text: str, allowed: str) -> None:
    with pytest.raises(ConfigError, match=r"\[camera\] source") as caught:
        open_source(Camera(source=text), HandClock())
    assert allowed in str(caught.value)
    assert "\n" not in str(caught.value)
