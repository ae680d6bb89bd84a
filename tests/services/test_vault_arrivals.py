"""What comes from the broker to the real vault: what is heard, what waits quietly, what is withheld."""

from pathlib import Path
from typing import Any

from tests.fakes.platform import square
from tests.fakes.vault_rig import Rig


def test_a_request_elsewhere_waits_quietly_and_leaves_no_diary(rig: Rig) -> None:
    rig.record()
    elsewhere = [[one[0] + 200_000, one[1]] for one in square()]
    request_id = rig.ask(area=elsewhere)
    assert rig.state(request_id) == "QUIET"
    assert not any(entry.get("id") == request_id or entry.get("request") == request_id for entry in rig.log())
    assert rig.vault.answers.requests() == []


def test_turning_requests_on_lets_waiting_ones_through(tmp_path: Path) -> None:
    rig = Rig(tmp_path, requests="")
    rig.vault.house.settings = rig.vault.house.settings.__class__(requests_enabled=False)
    rig.record()
    request_id = rig.ask()
    assert rig.state(request_id) == "QUIET"
    rig.vault.phones.act(rig.phone.action(rig, "settings", {"requests_enabled": True}))
    rig.settle()
    assert rig.state(request_id) == "PENDING"
    rig.close()


def test_a_muted_agency_is_not_heard(rig: Rig) -> None:
    rig.record()
    rig.vault.phones.act(rig.phone.action(rig, "settings", {"muted_agencies": ["us-ca-examplepd"]}))
    request_id = rig.ask()
    assert rig.state(request_id) == "QUIET"


def test_the_same_message_twice_is_one_request(rig: Rig) -> None:
    rig.record()
    now_s = rig.clock.utc_ms() // 1_000
    request_id, raw = rig.platform.request(from_s=now_s - 600, to_s=now_s - 10, iat_s=now_s - 5)
    rig.deliver("req", raw)
    rig.deliver("req", raw)
    assert [entry["t"] for entry in rig.log()].count("request") == 1
    assert rig.state(request_id) == "PENDING"


def test_more_than_the_owner_is_asked_at_once_is_withheld_and_counted(rig: Rig) -> None:
    rig.record()
    ids = [rig.ask() for _ in range(8)]
    assert [rig.state(one) for one in ids].count("PENDING") == 5
    assert rig.vault.answers.status()["withheld"] == 3


def test_what_is_withheld_when_the_owner_lets_requests_in_is_counted_once(rig: Rig) -> None:
    rig.record()
    for enabled, withheld in ((False, 0), (True, 2), (False, 2), (True, 2)):
        rig.vault.phones.act(rig.phone.action(rig, "settings", {"requests_enabled": enabled}))
        if withheld == 0:
            ids = [rig.ask(case="24-1") for _ in range(4)]
        assert rig.vault.answers.status()["withheld"] == withheld
    assert sorted(rig.state(one) for one in ids) == ["PENDING", "PENDING", "QUIET", "QUIET"]
    assert rig.vault.house.rejected == {}


def test_an_alert_for_this_area_is_kept_and_told_once(rig: Rig) -> None:
    raw = rig.platform.alert(rig.clock.utc_ms() // 1_000)
    rig.deliver("alert", raw)
    rig.deliver("alert", raw)
    shown: Any = rig.vault.answers.alerts()
    assert [one["title"] for one in shown] == ["Car broken into"]
    assert [name for name, _ in rig.events].count("alert") == 1
    assert [entry["t"] for entry in rig.log()].count("alert") == 1
