"""The story that `make demo` tells: a clip, a request, the owner's yes, and evidence that can be checked.

Each chapter is a function over the `Neighbourhood`; what goes wrong is an exception with one plain line.
"""

from __future__ import annotations

import math
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.doorbell import command, environment, is_up
from demo.evidence import FAILS, collect, watched
from demo.page_client import PairingLink
from demo.phone import Phone
from demo.recorded import Clip, clips_on_card, settled_clip

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.evidence import Evidence
    from demo.narrator import Narrator
    from demo.neighbourhood import Neighbourhood

READY_S = 60.0
CLIP_S = 180.0
ARRIVE_S = 30.0
DELIVER_S = 120.0
PERSON_S = 1800.0
PAIR_AGAIN_S = 115.0
TOUCHING_MS = 200
MARGIN_S = 2
POLL_S = 0.5
PERSON_POLL_S = 1.5
AFTER_YES = ("DELIVERED", "UNCONFIRMED", "FAILED", "CANCELLED", "EXPIRED", "WITHDRAWN")
STATES = {
    "PENDING": "it waits for the owner's answer",
    "CONFIRMING": "the indoor button must be pressed once",
    "GRACE": "anyone at home can still press Stop",
    "UPLOADING": "the sealed segments are being sent, and nothing else",
    "HANDED_OVER": "all of it is there; the submission is handed in",
    "DELIVERED": "the platform's signed receipt names exactly these segments",
    "DECLINED": "the owner said no; nothing left the house, and nobody is told",
    "WITHDRAWN": "the owner took it back",
}


class StoryError(Exception):
    """The story did not come to its end; the text says why in one plain line."""


def open_the_town(town: Neighbourhood, tell: Narrator) -> None:
    """Start the platform and the doorbell."""
    tell.chapter("A platform, an agency and a doorbell, all on this machine")
    town.start_platform()
    tell.say(f"Broker (mosquitto, TLS) on port {town.broker.port}: the doorbell may listen there, never publish.")
    tell.say(f"Directory (TUF, signed) at {town.directory_server.url}: who may ask, with which keys.")
    tell.say(f"Upload server (tus) on port {town.uploads.port}.")
    town.install_doorbell()
    town.start_doorbell()

    def ready(status: dict[str, Any]) -> bool:
        tell.tick()
        return is_up(status)

    with tell.wait("The doorbell starts: recorder, vault, page, uplink"):
        town.doorbell.wait_until(ready, READY_S, "a start with broker, directory and camera")


def pair_scripted(town: Neighbourhood, tell: Narrator) -> Phone:
    """The scripted owner pairs a phone and turns requests on."""
    tell.chapter("The owner's phone")
    phone = Phone(PairingLink.parse(town.doorbell.console("pair")["url"]), name="Owner's phone (scripted)")
    state = phone.pair()
    phone.open_session()
    tell.say(f"Paired by the link: {state}. From now on clips are sealed to this phone too.")
    phone.act("settings", {"requests_enabled": True})
    tell.say("Requests are off until the owner turns them on. The owner just did.")
    return phone


def pair_live(town: Neighbourhood, tell: Narrator) -> None:
    """Show the pairing link until a person has paired."""
    tell.chapter("Your phone, or the browser on this machine")
    deadline = time.monotonic() + PERSON_S
    while time.monotonic() < deadline:
        tell.say("Open this link. The browser warns once about the certificate: at home that is expected.\n")
        shown = subprocess.run(
            command("pair", "--config", town.config), env=environment(), check=False, stdin=subprocess.DEVNULL
        )
        if shown.returncode != 0:
            raise StoryError("`doorbell pair` failed; what it said stands above")
        again = time.monotonic() + PAIR_AGAIN_S
        with tell.wait("Waiting for you"):
            while time.monotonic() < again:
                if any(row["state"] == "admitted" for row in town.doorbell.console("phones")):
                    return
                tell.tick()
                time.sleep(PERSON_POLL_S)
    raise StoryError("nobody paired a phone: start again when you are ready")


def wait_for_a_clip(town: Neighbourhood, tell: Narrator, since_ms: int) -> Clip:
    """Wait until somebody was recorded from start to end."""
    tell.chapter("Somebody comes to the door")
    deadline = time.monotonic() + CLIP_S
    with tell.wait("The camera watches; only what moves is written"):
        while (clip := settled_clip(town.state_dir, since_ms)) is None:
            if time.monotonic() > deadline:
                raise StoryError(f"nothing moved before the camera for {CLIP_S:.0f} s: try another video")
            town.doorbell.check()
            tell.tick()
            time.sleep(POLL_S)
    seconds = (clip.end_ms - clip.start_ms) / 1000
    others = (other.end_ms for other in clips_on_card(town.state_dir) if other.clip != clip.clip)
    follows = any(abs(end_ms - clip.start_ms) < TOUCHING_MS for end_ms in others)
    begins = "going on where the last one ended" if follows else "from before the trigger on"
    tell.say(
        f"A clip of {seconds:.0f} s, {begins}: {clip.segments} sealed segments, "
        f"{clip.bytes / 1e6:.1f} MB. Without the owner's keys they are noise."
    )
    return clip


def ask(town: Neighbourhood, tell: Narrator, clip: Clip) -> str:
    """The agency asks for the minutes around the clip."""
    tell.chapter("The police ask")
    now_s = int(time.time())
    window = (clip.start_ms // 1000 - MARGIN_S, min(now_s, math.ceil(clip.end_ms / 1000) + MARGIN_S))
    request = town.send_request(window)
    shown = [time.strftime("%H:%M:%S", time.gmtime(at)) for at in window]
    tell.say(f"{town.agency.name} asks a whole neighbourhood for {shown[0]} to {shown[1]} UTC, case 24-001234.")
    tell.say(
        f"The platform countersigned it and published it once for each of {len(town.cells())} map cells. "
        "It does not learn which cameras are there."
    )
    return request


def answer_scripted(phone: Phone, tell: Narrator, request_id: str) -> str:
    """The scripted owner looks at the request, at the clips, and says yes."""
    tell.chapter("The owner is asked")
    phone.wait_for(request_id, ["PENDING"], ARRIVE_S)
    request = phone.request(request_id)
    tell.say("The phone verified both signatures, the agency's and the platform's, by itself.")
    segments = [one for one in phone.segments(request_id) if one["stanza"] is not None]
    clips = sorted({one["clip"] for one in segments})
    films = [phone.preview([one for one in segments if one["clip"] == clip]) for clip in clips]
    tell.say(
        f"It opened all that lies in those minutes for a preview: {len(segments)} segments, "
        f"{sum(map(len, films)) / 1e6:.1f} MB of film."
    )
    state = phone.share(request, segments)
    tell.say(
        "The owner says yes: each segment's key is sealed again, to this agency alone, for this request alone."
    )
    return state


def follow(
    state_of: Callable[[], str], tell: Narrator, timeout_s: float, *, ends: tuple[str, ...] = AFTER_YES
) -> str:
    """Tell each state that the request reaches, until one of `ends`."""
    tell.chapter("What happens to it")
    deadline, seen = time.monotonic() + timeout_s, ""
    while time.monotonic() < deadline:
        state = state_of()
        if state != seen and state in STATES:
            tell.say(f"{state:<12} {STATES[state]}")
        seen = state
        if state in ends:
            return state
        time.sleep(POLL_S / 2)
    raise StoryError(f"the request stays {seen or 'unseen'} for {timeout_s:.0f} s")


def verify_command(evidence: Evidence) -> str:
    """What a person types to check the bundle: it works in this folder, with no venv activated."""
    installed = Path(sys.executable).with_name("doorbell")
    program = [installed] if installed.exists() else [sys.executable, "-m", "agent"]
    words = [*program, "verify", evidence.bundle, "--root", evidence.root, "--key", evidence.key]
    here = Path.cwd()
    return shlex.join(
        str(word.relative_to(here)) if isinstance(word, Path) and word.is_relative_to(here) else str(word)
        for word in words
    )


def judge(town: Neighbourhood, tell: Narrator, request: str, out: Path) -> None:
    """The agency verifies and opens the bundle, and a forged one is found out."""
    tell.chapter("The agency opens what it was given")
    bundle = town.uploads.submissions.bundle(request)
    evidence = collect(out, bundle, town.root, town.agency.enc_key.pem())
    holds, lines = evidence.verify()
    for line in lines:
        tell.say(line)
    if not holds:
        raise StoryError("the evidence does not hold: see the lines above")
    films, report = evidence.open()
    for film in films:
        seconds, frames = watched(film)
        tell.say(f"{film.name} plays: {seconds:.1f} s, {frames} frames.")
    tell.chapter("And if somebody changes one byte?")
    with tempfile.TemporaryDirectory() as folder:
        forged, position = evidence.forged(Path(folder))
        holds, lines = evidence.verify(forged)
    named = [line for line in lines if line.startswith(FAILS)]
    if holds or not named:
        raise StoryError(f"byte {position} was changed and doorbell verify did not notice")
    for line in named:
        tell.say(line)
    tell.chapter("The evidence")
    for path in (*films, report):
        tell.say(str(path))
    tell.say("Check it again, or change something in it and check then:")
    tell.say(verify_command(evidence))
