"""Silence (protocol section 5): whoever watches the doorbell's line can't tell what it makes of a request.

A real doorbell between two recording proxies, one on the way to the broker and one to the directory. Requests of
one size come for every reason why the owner is, or is not, asked; what crosses must be the same each time.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo.agency import square
from demo.doorbell import is_up
from demo.neighbourhood import HouseSettings, Neighbourhood
from demo.page_client import PairingLink
from demo.phone import Phone
from demo.recorded import Clip, settled_clip
from tests.uplink.recording_proxy import Crossing, RecordingProxy

pytestmark = [pytest.mark.slow, pytest.mark.broker]

CLIP_S = 120.0
ROUNDS = 4
QUIET_S = 0.7
SLACK_S = 0.05


@dataclass
class Seen:
    """What crossed after one request: sizes from the device, and how long the first took."""

    sizes: tuple[int, ...]
    delay_s: float


class Watched:
    """The town with somebody on the line."""

    def __init__(self, folder: Path) -> None:
        self.town = Neighbourhood(folder, HouseSettings(enabled=True))
        self.town.start_platform()
        self.broker = RecordingProxy(self.town.broker.port)
        self.directory = RecordingProxy(self.town.directory_server.port)
        self.uploads = self.town.uploads.requests
        self.town.broker_url = f"mqtts://localhost:{self.broker.port}"
        self.town.directory_url = f"https://localhost:{self.directory.port}"
        self.town.install_doorbell()
        self.town.start_doorbell()
        self.town.doorbell.wait_until(is_up, 60, "the start")
        self.phone = Phone(PairingLink.parse(self.town.doorbell.console("pair")["url"]))
        self.phone.pair()
        self.phone.open_session()
        self.cases = iter(range(10_000))

    def clip(self) -> Clip:
        since_ms, deadline = int(time.time() * 1000), time.monotonic() + CLIP_S
        while time.monotonic() < deadline:
            if (clip := settled_clip(self.town.state_dir, since_ms)) is not None:
                return clip
            time.sleep(0.5)
        raise AssertionError("nothing was recorded")

    def send(self, window: tuple[int, int], **fields: Any) -> Seen:
        """Publish one request to the camera's cell alone and see what happens on the line."""
        now_s = int(time.time())
        payload = self.town.agency.request(now_s=now_s, window=window)
        payload |= {"dirv": 1, "case": f"24-{next(self.cases):06d}"} | fields
        envelope = self.town.dispatch.countersign(self.town.agency.sign_request(payload))
        self.broker.forget()
        self.directory.forget()
        self.town.publisher.publish("req", ["9q8y"], str(payload["id"]), envelope, life_s=3600)
        time.sleep(QUIET_S)
        crossed = self.broker.crossings()
        assert self.directory.crossings() == []
        arrived = next(one for one in crossed if one.direction == "in")
        left: list[Crossing] = [one for one in crossed if one.direction == "out"]
        return Seen(tuple(one.size for one in left), left[0].at_s - arrived.at_s)

    def ask_first(self, window: tuple[int, int]) -> None:
        """The first request of an agency fetches its file, whatever it asks for; after it the line is quiet."""
        payload = self.town.agency.request(now_s=int(time.time()), window=window)
        envelope = self.town.dispatch.countersign(self.town.agency.sign_request(payload))
        self.directory.forget()
        self.town.publisher.publish("req", ["9q8y"], str(payload["id"]), envelope, life_s=3600)
        deadline = time.monotonic() + 20
        while not self.directory.crossings() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert self.directory.crossings() != []
        time.sleep(2)

    def pending(self) -> list[str]:
        return [row["id"] for row in self.phone.requests() if row["state"] == "PENDING"]

    def stop(self) -> None:
        self.town.stop()
        self.broker.stop()
        self.directory.stop()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    watched = Watched(tmp_path_factory.mktemp("s"))
    yield watched
    watched.stop()


def rounds(send: Callable[[], Seen]) -> list[Seen]:
    return [send() for _ in range(ROUNDS)]


def test_nobody_on_the_line_can_tell_what_became_of_a_request(watched: Watched) -> None:
    clip = watched.clip()
    hit = (clip.start_ms // 1000 - 1, clip.end_ms // 1000 + 1)
    before = (hit[0] - 4000, hit[0] - 3000)
    lat, lon = watched.town.agency.centre
    beside = [list(point) for point in square((lat + 90_000, lon))]
    watched.ask_first(before)
    seen: dict[str, list[Seen]] = {}
    seen["match, never looked at"] = rounds(lambda: watched.send(hit))
    assert len(watched.pending()) == ROUNDS
    seen["match, but too many"] = rounds(lambda: watched.send(hit))
    for request in watched.pending():
        watched.broker.forget()
        watched.phone.decline(watched.phone.request(request))
        time.sleep(QUIET_S)
        assert watched.broker.crossings() == [], "a decline is heard by nobody"
    assert watched.pending() == []
    seen["another place in the cell"] = rounds(lambda: watched.send(hit, area=beside))
    seen["no footage"] = rounds(lambda: watched.send(before))
    watched.phone.act("settings", {"muted_agencies": [watched.town.agency.id]})
    time.sleep(QUIET_S)
    seen["muted"] = rounds(lambda: watched.send(hit))
    watched.phone.act("settings", {"requests_enabled": False, "muted_agencies": []})
    time.sleep(QUIET_S)
    seen["requests off"] = rounds(lambda: watched.send(hit))
    seen["refused: too wide a window"] = rounds(lambda: watched.send((hit[1] - 50_000, hit[1])))

    assert watched.pending() == []
    assert list(watched.uploads) == [], "nothing was uploaded"
    sizes = {name: {one.sizes for one in all_of_it} for name, all_of_it in seen.items()}
    (only,) = set.union(*sizes.values())
    assert len(only) == 1, f"one PUBACK for each request and nothing else: {sizes}"
    medians = {name: statistics.median(one.delay_s for one in all_of_it) for name, all_of_it in seen.items()}
    assert max(medians.values()) < min(medians.values()) + SLACK_S, medians
