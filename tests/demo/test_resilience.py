"""Any one of the four processes can be killed; it comes back, and what is published meanwhile still arrives."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.agency import square
from demo.doorbell import is_up
from demo.neighbourhood import Neighbourhood
from demo.page_client import PageError, PairingLink
from demo.phone import Phone

pytestmark = [pytest.mark.slow, pytest.mark.broker]


def process(town: Neighbourhood, name: str) -> int | None:
    """The process id of one of the four, by its command line."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if words[2:4] == ["agent", name] and str(town.config) in words:
                return int(entry.name)
    return None


def until(done: Callable[[], bool], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if done():
                return
        except PageError:
            pass  # the page is on its way back
        time.sleep(0.3)
    raise AssertionError(what)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbourhood]:
    town = Neighbourhood(tmp_path_factory.mktemp("r"))
    town.start_platform()
    town.install_doorbell()
    town.start_doorbell()
    town.doorbell.wait_until(is_up, 60, "the start")
    yield town
    town.stop()


@pytest.fixture(scope="module")
def phone(town: Neighbourhood) -> Phone:
    phone = Phone(PairingLink.parse(town.doorbell.console("pair")["url"]))
    phone.pair()
    return phone


@pytest.mark.parametrize("name", ["uplink", "page", "recorder", "vault"])
def test_a_killed_process_comes_back_and_nothing_published_is_lost(
    town: Neighbourhood, phone: Phone, name: str
) -> None:
    victim = process(town, name)
    assert victim is not None
    os.kill(victim, signal.SIGKILL)
    now_s = int(time.time())
    alert = town.dispatch.alert(now_s=now_s, area=square(town.agency.centre), title=f"While {name} was away")
    town.publisher.publish_signed("alert", town.dispatch.sign_alert(alert), alert["area"], now_s=now_s)
    until(lambda: process(town, name) not in (None, victim), 40, f"{name} did not come back")

    def shown() -> bool:
        phone.open_session()
        return alert["id"] in [one["id"] for one in phone.client.get("/api/alerts")]

    until(shown, 60, "the alert never arrived")
    until(lambda: phone.status()["recording"], 40, "it does not record again")
    assert phone.status()["broker"] == "up"


def test_a_broker_that_restarts_is_found_and_heard_again(town: Neighbourhood, phone: Phone) -> None:
    phone.open_session()
    town.broker.stop()
    until(lambda: phone.status()["broker"] == "down", 20, "nobody noticed")
    assert "broker-down" in phone.status()["faults"]
    town.broker.start()
    until(lambda: phone.status()["broker"] == "up", 60, "it did not find the broker again")
    assert "broker-down" not in phone.status()["faults"]
