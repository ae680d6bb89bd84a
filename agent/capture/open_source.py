"""`[camera] source` to a source. Nothing is opened here, and nothing but the form of the text is checked.

picamera                    the Pi's camera
v4l2:/dev/video0            ?input_format=mjpeg
rtsp://user:word@host/path  as it is
file:clip.mp4               ?loop=1 &realtime=0; a folder of numbered pictures takes &fps=10 too
scene:porch                 ?seed=1 &period_s=30 &realtime=0
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl

from agent.capture import scene
from agent.capture.file_footage import roll_file
from agent.capture.live_source import LiveStream, rtsp_address, v4l2_address
from agent.capture.paced_source import PacedSource, Play
from agent.capture.picamera import PicameraSource
from agent.capture.pump import Pump
from agent.capture.scene_footage import SceneFootage
from agent.capture.source import CameraSettings, Source
from agent.capture.v4l2_stop import stop_stream
from agent.core.clock import Clock
from agent.core.errors import ConfigError

_SWITCH: Mapping[str, bool] = {"0": False, "1": True}
_MOST_FPS = 120.0
_MOST_PERIOD_S = 86_400.0
_MOST_SEED = 2**32 - 1

Options = dict[str, str]


def open_source(settings: CameraSettings, clock: Clock) -> Source:
    """Return the source that `settings.source` names, not yet opened.

    Raises:
        ConfigError: it names none.
    """
    if settings.source == "picamera":
        return PicameraSource(settings, clock)
    if settings.source.startswith(("rtsp://", "rtsps://")):
        address = rtsp_address(settings.source)
        return Pump(lambda: LiveStream(address, settings, clock), "rtsp")
    kind, _, rest = settings.source.partition(":")
    maker = _MAKERS.get(kind)
    if maker is None or not rest:
        raise _wrong(settings.source, "picamera, v4l2:…, rtsp://…, file:… or scene:…")
    return maker(rest, settings, clock)


def _v4l2(text: str, settings: CameraSettings, clock: Clock) -> Source:
    device, options = _split(text, ("input_format",))
    address = v4l2_address(device, settings, options)
    return Pump(lambda: LiveStream(address, settings, clock), "v4l2", partial(stop_stream, device))


def _file(text: str, settings: CameraSettings, clock: Clock) -> Source:
    name, options = _split(text, ("loop", "realtime", "fps"))
    fps = _number(options, "fps", 10.0, _MOST_FPS)
    play = Play(loop=_switch(options, "loop", default=False), realtime=_switch(options, "realtime", default=True))
    return PacedSource(name, partial(roll_file, Path(name), fps), settings, clock, play)


def _scene(text: str, settings: CameraSettings, clock: Clock) -> Source:
    name, options = _split(text, ("seed", "period_s", "realtime"))
    if name not in scene.NAMES:
        raise _wrong(f"scene:{name}", "scene:" + ", scene:".join(scene.NAMES))
    seed = int(_number(options, "seed", 1, _MOST_SEED))
    period_s = _number(options, "period_s", scene.PERIOD_S, _MOST_PERIOD_S)
    width, height = settings.size
    play = Play(realtime=_switch(options, "realtime", default=True))

    def roll() -> SceneFootage:
        return SceneFootage(scene.Scene(name, width, height, seed=seed, period_s=period_s), settings.fps)

    return PacedSource(f"scene:{name}", roll, settings, clock, play)


_MAKERS: Mapping[str, Callable[[str, CameraSettings, Clock], Source]] = {
    "v4l2": _v4l2,
    "file": _file,
    "scene": _scene,
}


def _split(text: str, known: tuple[str, ...]) -> tuple[str, Options]:
    """Return the name and the options behind its last question mark."""
    name, mark, query = text.rpartition("?")
    if not mark:
        return text, {}
    options = dict(parse_qsl(query, keep_blank_values=True))
    for key in options:
        if key not in known:
            raise _wrong(text, "after ? only " + ", ".join(known))
    if not options:
        raise _wrong(text, f"after ? one of {', '.join(known)}")
    return name, options


def _switch(options: Options, key: str, *, default: bool) -> bool:
    value = options.get(key)
    if value is None:
        return default
    if value not in _SWITCH:
        raise _wrong(f"{key}={value}", f"{key}=0 or {key}=1")
    return _SWITCH[value]


def _number(options: Options, key: str, default: float, most: float) -> float:
    value = options.get(key)
    if value is None:
        return default
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 < number <= most:
        raise _wrong(f"{key}={value}", f"{key} above 0, up to {most:g}")
    return number


def _wrong(value: str, allowed: str) -> ConfigError:
    return ConfigError(f"[camera] source: {value!r} is not allowed; allowed: {allowed}")
