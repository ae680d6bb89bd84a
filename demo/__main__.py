"""`python -m demo`: the whole neighbourhood, told step by step; exit 0 when the evidence lies there.

`--live` leaves the owner's part to you, in your browser.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import av

from agent.core.errors import DoorbellError
from demo import story
from demo.broker import BrokerError
from demo.dispatch import DispatchError
from demo.doorbell import DoorbellFailedError
from demo.narrator import Narrator
from demo.neighbourhood import HouseSettings, Neighbourhood
from demo.page_client import PageError

if TYPE_CHECKING:
    from collections.abc import Sequence

FAILURES = (
    story.StoryError,
    BrokerError,
    DispatchError,
    DoorbellError,
    DoorbellFailedError,
    PageError,
    OSError,
    subprocess.SubprocessError,
)
STOPS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = 130
AGAIN_S = 0.5
"""How long after a stop signal its interrupt is raised again: Python drops one that a `__del__` raises."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Tell the story; 0 at its end, 1 with one plain line when it breaks off, 130 after Ctrl-C."""
    args = _parser().parse_args(arguments)
    if args.video is not None and not args.video.is_file():
        return _failed(f"{args.video}: there is no such video")
    if args.video is not None and not _is_film(args.video):
        return _failed(f"{args.video}: this is not a video that can be read; name another one")
    for number in (*STOPS, signal.SIGALRM):  # a shell starts what it puts in the background deaf to Ctrl-C
        signal.signal(number, _interrupt)
    sys.unraisablehook = _dropped
    out = args.out or Path("out") / time.strftime("demo-%Y%m%d-%H%M%S")
    tell = Narrator()
    folder, town = Path(tempfile.mkdtemp(prefix="doorbell-demo-")), None
    try:
        town = Neighbourhood(folder, _settings(args))
        _tell_story(town, tell, out.absolute(), live=args.live)
    except FAILURES as error:
        return _failed(_plain(error))
    except KeyboardInterrupt:
        print("\nStopped. Everything is shut down and nothing is left behind.", file=sys.stderr)
        return INTERRUPTED
    finally:
        _close(town, folder)
    return 0


def _tell_story(town: Neighbourhood, tell: Narrator, out: Path, *, live: bool) -> None:
    story.open_the_town(town, tell)
    phone = None
    if live:
        story.pair_live(town, tell)
    else:
        phone = story.pair_scripted(town, tell)
    clip = story.wait_for_a_clip(town, tell, since_ms=int(time.time() * 1000))
    request = story.ask(town, tell, clip)

    def state() -> str:
        rows = town.doorbell.console("requests") if phone is None else phone.requests()
        return str(next((row["state"] for row in rows if row["id"] == request), ""))

    if phone is None:
        tell.say("It is your turn: look at the request on your phone and answer it.")
        ended = story.follow(state, tell, story.PERSON_S, ends=(*story.AFTER_YES, "DECLINED"))
    else:
        story.answer_scripted(phone, tell, request)
        ended = story.follow(state, tell, story.DELIVER_S)
    if ended == "DELIVERED":
        story.judge(town, tell, request, out)
    elif not live or ended not in ("DECLINED", "WITHDRAWN"):
        raise story.StoryError(f"the request ended as {ended}")


def _settings(args: argparse.Namespace) -> HouseSettings:
    source = "scene:porch" if args.video is None else f"file:{args.video.absolute()}?loop=1"
    if not args.live:
        return HouseSettings(source=source)
    names = dict.fromkeys((_home_address(), "localhost", "127.0.0.1"))
    return HouseSettings(source=source, enabled=True, grace_s=10, page_host="0.0.0.0", page_names=tuple(names))  # noqa: S104 - the owner's phone is in the same network


def _is_film(path: Path) -> bool:
    """Whether the first picture can be decoded: better said now than after a minute's wait for the camera."""
    try:
        with av.open(str(path)) as container:
            return next(container.decode(video=0), None) is not None
    except (av.FFmpegError, IndexError):  # IndexError: it has no video stream
        return False


def _home_address() -> str:
    """This machine's address in its network; nothing is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address of documentation, RFC 5737
        except OSError:
            return "localhost"
        return str(probe.getsockname()[0])


def _close(town: Neighbourhood | None, folder: Path) -> None:
    """Shut everything down; a second Ctrl-C must not leave processes or files behind."""
    for number in (*STOPS, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 0)
    if town is not None:
        town.stop()
    shutil.rmtree(folder, ignore_errors=True)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
    raise KeyboardInterrupt


def _dropped(what: sys.UnraisableHookArgs) -> None:
    """Say nothing of an interrupt that Python dropped, because it comes again."""
    if not isinstance(what.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(what)


def _plain(error: Exception) -> str:
    """The first line of what an error says, without the number that the system has for it."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _failed(line: str) -> int:
    print(f"demo: {line}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo", description="A neighbourhood on one machine: from a clip to checked evidence."
    )
    parser.add_argument("--video", type=Path, help="what the camera sees, repeated; default: a drawn doorstep")
    parser.add_argument("--live", action="store_true", help="you are the owner, in your browser")
    parser.add_argument("--out", type=Path, help="where the evidence goes; default: out/demo-<date>-<time>")
    return parser


if __name__ == "__main__":
    sys.exit(main())
