"""Nothing that the network sees depends on a match or on what the owner did (section 5), inside the vault."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agent.consent.directory import DirectoryView
from agent.core.ids import new_id
from agent.services.vault import arrivals_desk
from agent.services.vault.arrivals_desk import AGAIN_HIGH_S, AGAIN_LOW_S
from tests.fakes.platform import AGENCY, CAMERA, FakePlatform, square
from tests.fakes.vault_rig import FullDisk, Rig

FAR = square((CAMERA[0] + 500_000, CAMERA[1]))


def _looked_up(rig: Rig) -> list[str]:
    """Change the directory, refresh it, and return which agencies are looked up."""
    asked: list[str] = []
    look_up = FakePlatform.look_up_agency

    def noted(fetch: object, agency: str) -> DirectoryView:
        asked.append(agency)
        return look_up(rig.platform, fetch, agency)

    rig.platform.look_up_agency = noted  # type: ignore[method-assign]  # the fake's own
    rig.platform.version += 1
    rig.vault.directory.refresh(lambda _: None)
    rig.settle()
    return asked


def _subscribed(rig: Rig) -> int:
    return sum(verb == "subscribe" for verb, _ in rig.uplink.calls)


def _three_of_one_case(rig: Rig, **more: Any) -> None:
    """Ask twice for an hour and, when those are over, a third time: too often for check 15."""
    rig.record()
    now_s = rig.clock.utc_ms() // 1_000
    for _ in range(2):
        rig.ask(case="24-1", exp=now_s + 3_600, **more)
    rig.pass_s(3_700)
    rig.record()
    rig.ask(case="24-1", **more)


def test_what_check_15_withholds_is_looked_up_like_what_does_not_match(tmp_path: Path) -> None:
    seen = []
    for name, area in (("inside", square()), ("outside", FAR)):
        (tmp_path / name).mkdir()
        rig = Rig(tmp_path / name)
        _three_of_one_case(rig, area=area)
        seen.append(_looked_up(rig))
        rig.close()
    assert seen[0] == seen[1] != []


def test_a_request_that_was_cancelled_is_looked_up_like_one_that_was_not(tmp_path: Path) -> None:
    seen = []
    for name in ("cancelled", "left"):
        (tmp_path / name).mkdir()
        rig = Rig(tmp_path / name)
        rig.record()
        request_id = rig.ask()
        if name == "cancelled":
            rig.deliver("can", rig.platform.cancel(request_id, rig.clock.utc_ms() // 1_000))
            assert rig.state(request_id) == "CANCELLED"
        seen.append(_looked_up(rig))
        rig.close()
    assert seen[0] == seen[1] != []


def test_an_owner_who_mutes_an_agency_sends_nothing(rig: Rig) -> None:
    before = _subscribed(rig)
    for change in ({"muted_agencies": ["us-ca-examplepd"]}, {"alerts": False}, {"requests_enabled": False}):
        rig.vault.phones.act(rig.phone.action(rig, "settings", change))
        rig.settle()
    assert _subscribed(rig) == before


def test_another_precision_subscribes_once(rig: Rig) -> None:
    before = _subscribed(rig)
    for _ in range(2):
        rig.vault.phones.act(rig.phone.action(rig, "settings", {"cell_precision": 3}))
        rig.settle()
    assert _subscribed(rig) == before + 1
    assert all(len(topic.split("/")[3]) == 3 for topic in rig.uplink.calls[-1][1]["topics"])


def test_an_alert_under_a_new_dispatch_key_makes_the_directory_be_fetched(rig: Rig) -> None:
    other = FakePlatform(rig.platform.now_s)
    raw = other.alert(rig.clock.utc_ms() // 1_000 - 5)
    rig.platform.serves_dispatch.append(other.dispatch)
    rig.platform.version += 1
    before = _subscribed(rig)
    rig.deliver("alert", raw)
    rig.pass_s(5)
    assert _subscribed(rig) == before + 1
    rig.deliver("alert", raw)
    assert len(rig.vault.answers.alerts()) == 1


# ---- a look-up that fails


class Broker:
    """Sends one retained request with each subscription; notes what broker and directory are asked, and when."""

    def __init__(self, rig: Rig, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
        now_s = rig.clock.utc_ms() // 1_000
        times = {"from_s": now_s - 600, "to_s": now_s - 10, "iat_s": now_s - 5}
        self.id, self.raw = rig.platform.request(**times, **fields)
        self.asked: list[tuple[float, str]] = []
        view, call_async = rig.platform.view, rig.uplink.call_async
        assert view is not None
        rig.platform._view = replace(view, agencies={})  # nothing was looked up yet
        start_ns, look_up = rig.clock.boot_ns(), rig.platform.look_up_agency

        def note(what: str) -> None:
            self.asked.append(((rig.clock.boot_ns() - start_ns) / 1e9, what))

        def call(verb: str, args: Any, on_reply: Any, **more: Any) -> int:
            note(verb)
            if verb == "subscribe":
                rig.vault.loop.post(lambda: rig.vault.arrivals.message("req", self.raw))
            return call_async(verb, args, on_reply, **more)

        def noted(fetch: object, agency: str) -> DirectoryView:
            note("look-up")
            return look_up(fetch, agency)

        monkeypatch.setattr(rig.uplink, "call_async", call)
        monkeypatch.setattr(rig.platform, "look_up_agency", noted)
        rig.platform.is_reachable = False
        rig.deliver("req", self.raw)


def test_a_request_whose_look_up_failed_comes_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.record()
    broker = Broker(rig, monkeypatch)
    rig.pass_s(7_200, step_s=10)
    assert rig.state(broker.id) == ""
    subscribed = [at_s for at_s, what in broker.asked if what == "subscribe"]
    assert len(subscribed) >= 8
    assert all(later - at_s >= AGAIN_LOW_S for at_s, later in pairwise([0.0, *subscribed]))
    rig.platform.is_reachable = True
    rig.pass_s(AGAIN_HIGH_S, step_s=10)
    assert rig.state(broker.id) == "PENDING"
    made = len(broker.asked)
    rig.pass_s(3_600, step_s=60)
    assert len(broker.asked) == made


def test_a_look_up_that_failed_is_made_again_whether_it_matches_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals_desk, "full_jitter_s", lambda attempt, **_: 30.0 * (attempt + 1))
    seen = {}
    for name in ("matches", "is elsewhere", "has no footage", "is muted"):
        (tmp_path / name).mkdir()
        rig = Rig(tmp_path / name)
        if name != "has no footage":
            rig.record()
        if name == "is muted":
            rig.vault.phones.act(rig.phone.action(rig, "settings", {"muted_agencies": [AGENCY]}))
        broker = Broker(rig, monkeypatch, area=FAR if name == "is elsewhere" else square())
        rig.pass_s(600)
        rig.platform.is_reachable = True
        rig.pass_s(1_800)
        assert rig.state(broker.id) == ("PENDING" if name == "matches" else "QUIET")
        seen[name] = broker.asked
        rig.close()
    assert len(seen["matches"]) > 5
    assert all(asked == seen["matches"] for asked in seen.values())


# ---- what is kept of what does not concern the owner


def test_a_request_elsewhere_is_gone_when_it_has_expired(rig: Rig) -> None:
    rig.record()
    request_id = rig.ask(area=FAR, exp=rig.clock.utc_ms() // 1_000 + 60)
    assert rig.state(request_id) == "QUIET"
    rig.pass_s(70)
    assert rig.state(request_id) == ""


def test_a_request_elsewhere_that_is_cancelled_is_gone(rig: Rig) -> None:
    rig.record()
    request_id = rig.ask(area=FAR)
    rig.deliver("can", rig.platform.cancel(request_id, rig.clock.utc_ms() // 1_000))
    assert rig.state(request_id) == ""


def test_a_request_that_expired_while_the_clock_was_unknown_does_not_reach_the_owner(tmp_path: Path) -> None:
    rig = Rig(tmp_path, requests="")
    rig.vault.phones.act(rig.phone.action(rig, "settings", {"requests_enabled": False}))
    rig.record()
    request_id = rig.ask(exp=rig.clock.utc_ms() // 1_000 + 60)
    rig.clock.pass_s(3_600)
    rig.clock.is_synchronised = False
    rig.clock.reboot()
    rig.restart()
    rig.vault.phones.act(rig.phone.action(rig, "settings", {"requests_enabled": True}))
    rig.settle()
    assert rig.state(request_id) == "QUIET"
    rig.clock.is_synchronised = True
    rig.pass_s(10)
    assert rig.state(request_id) == ""
    assert "request" not in [name for name, _ in rig.events]
    rig.close()


def test_a_clock_that_goes_back_a_little_makes_no_expired_request_new(rig: Rig) -> None:
    rig.record()
    now_s = rig.clock.utc_ms() // 1_000
    request_id, raw = rig.platform.request(from_s=now_s - 600, to_s=now_s, iat_s=now_s, exp=now_s + 60)
    rig.deliver("req", raw)
    rig.pass_s(70)
    rig.vault.arrivals.log_rejected()
    assert rig.state(request_id) == "EXPIRED"
    rig.clock.jump_s(-60)
    rig.deliver("req", raw)  # no trouble, and nothing new
    assert rig.state(request_id) == "EXPIRED"


def test_at_most_20_alerts_a_day_are_shown_however_short_they_live(rig: Rig) -> None:
    for _ in range(3):
        for _ in range(15):
            now_s = rig.clock.utc_ms() // 1_000
            rig.deliver("alert", rig.platform.alert(now_s - 5, exp=now_s + 30))
        rig.pass_s(3_700, step_s=60)
    assert sum(name == "alert" for name, _ in rig.events) == 20


def test_refusals_are_counted_even_when_the_disk_was_full_at_the_hour(rig: Rig) -> None:
    rig.deliver("req", b"no request")
    disk = FullDisk(rig)
    rig.pass_s(3_700, step_s=60)
    disk.make_room()
    rig.pass_s(3_700, step_s=60)
    assert [entry["counts"] for entry in rig.log() if entry["t"] == "rejected"] == [{"E_JSON": 1}]


def test_cancels_that_wait_count_among_the_64(rig: Rig) -> None:
    desk = rig.vault.arrivals
    rig.platform.is_reachable = False
    rig.record()
    desk._waiting["us-ca-other"] = [b"waits"]
    stranger = FakePlatform(rig.platform.now_s)
    for _ in range(200):
        desk.message("can", stranger.cancel(new_id(), 1))
    assert sum(map(len, desk._waiting.values())) + len(desk._cancels) == 64
    assert desk._dropped
