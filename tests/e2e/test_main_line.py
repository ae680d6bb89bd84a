"""The main job on real parts: `doorbell run` as real processes, mosquitto, TUF over HTTPS, tus, and Chromium.

The owner is a browser on a phone-sized screen. On the way every process is killed once with SIGKILL.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from demo.doorbell import DoorbellFailedError, is_up
from demo.evidence import collect
from demo.neighbourhood import HouseSettings, Neighbourhood
from demo.recorded import Clip, settled_clip
from tests.page.owner_browser import OwnerBrowser

pytestmark = [pytest.mark.slow, pytest.mark.broker, pytest.mark.browser]

PHONE = {"width": 390, "height": 844}


def _until(what: str, ready: Callable[[], Any], seconds: float = 120) -> Any:
    end = time.monotonic() + seconds
    while True:
        found = ready()
        if found:
            return found
        assert time.monotonic() < end, f"{what} did not come in {seconds:.0f} s"
        time.sleep(0.3)


def _children(pid: int) -> dict[str, int]:
    """Return the doorbell's processes by their verb."""
    found = {}
    for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        words = Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")
        if b"agent" in words:
            found[words[words.index(b"agent") + 1].decode()] = int(one)
    return found


def _kill(town: Neighbourhood, name: str) -> None:
    """Kill one process and wait until another one stands in its place."""
    pid = _children(town.doorbell.pid)[name]
    os.kill(pid, signal.SIGKILL)
    _until(f"another {name}", lambda: _children(town.doorbell.pid).get(name, pid) != pid)


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbourhood]:
    made = Neighbourhood(tmp_path_factory.mktemp("t"), HouseSettings(enabled=True, grace_s=6))
    made.start_platform()
    made.install_doorbell()
    made.start_doorbell()
    yield made
    made.stop()


def _state(town: Neighbourhood, request_id: str) -> str:
    try:
        rows = town.doorbell.console("requests")
    except DoorbellFailedError:  # its vault was just killed
        return ""
    return next((row["state"] for row in rows if row["id"] == request_id), "")


def _ask(town: Neighbourhood, clip: Clip) -> str:
    request_id = town.send_request((clip.start_ms // 1_000 - 1, min(int(time.time()), clip.end_ms // 1_000 + 1)))
    _until("the request", lambda: _state(town, request_id) == "PENDING", 30)
    return request_id


def test_a_browser_says_yes_and_the_agency_holds_evidence(
    town: Neighbourhood, browser: Browser, tmp_path: Path
) -> None:
    town.doorbell.wait_until(is_up, 90, "a start")
    context = browser.new_context(viewport=PHONE, ignore_https_errors=True, is_mobile=True, has_touch=True)  # type: ignore[arg-type]
    owner = OwnerBrowser(context.new_page())
    owner.pair(town.doorbell.console("pair")["url"])
    paired_ms = time.time_ns() // 1_000_000

    _kill(town, "recorder")
    _kill(town, "page")
    town.doorbell.wait_until(is_up, 90, "a camera again")
    clip = _until("a clip", lambda: settled_clip(town.state_dir, paired_ms), 180)
    request_id = _ask(town, clip)

    owner.open_request(request_id)
    owner.watch(0)
    owner.choose_all()
    owner.yes()
    assert _state(town, request_id) == "GRACE"
    _kill(town, "vault")  # the grace time starts again in full
    _until("the vault", lambda: _state(town, request_id) != "", 60)
    _kill(town, "uplink")
    _until("delivery", lambda: _state(town, request_id) == "DELIVERED", 120)
    context.close()

    bundle = town.uploads.submissions.bundle(request_id)
    evidence = collect(tmp_path / "agency", bundle, town.root, town.agency.enc_key.pem())
    holds, lines = evidence.verify()
    assert holds, lines
    films, report = evidence.open()
    assert films
    assert report.exists()


def test_a_browser_says_no_and_nothing_leaves(town: Neighbourhood, browser: Browser) -> None:
    town.doorbell.wait_until(is_up, 90, "a start")
    context = browser.new_context(viewport=PHONE, ignore_https_errors=True)  # type: ignore[arg-type]
    owner = OwnerBrowser(context.new_page())
    owner.pair(town.doorbell.console("pair")["url"])
    paired_ms = time.time_ns() // 1_000_000
    clip = _until("a clip", lambda: settled_clip(town.state_dir, paired_ms), 180)
    request_id = _ask(town, clip)
    owner.open_request(request_id)
    owner.no()
    _until("the no", lambda: _state(town, request_id) == "DECLINED", 30)
    time.sleep(8)  # longer than the grace time
    assert not (town.folder / "bundles").exists()
    context.close()


def test_the_console_approves_without_a_phone(town: Neighbourhood, tmp_path: Path) -> None:
    town.doorbell.wait_until(is_up, 90, "a start")
    clip = _until("a clip", lambda: settled_clip(town.state_dir, 0), 180)
    request_id = _ask(town, clip)
    assert town.doorbell.console("approve", request_id)["state"] == "GRACE"
    _until("delivery", lambda: _state(town, request_id) == "DELIVERED", 60)
    bundle = town.uploads.submissions.bundle(request_id)
    holds, lines = collect(tmp_path / "agency", bundle, town.root, town.agency.enc_key.pem()).verify()
    assert holds, lines
