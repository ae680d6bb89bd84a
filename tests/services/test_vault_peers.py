"""What the processes around the real vault may ask and say: each only its own, in its own forms."""

import json
from typing import Any

import pytest

from agent.core.errors import RefusedError
from agent.core.ids import new_id
from agent.services.vault.store_desk import ROOM_BYTES
from agent.services.vault.verbs import RecorderVerbs, UplinkVerbs, run
from tests.fakes.vault_rig import Rig
from tests.services.page_calls import Asked


def test_a_peer_has_only_its_own_verbs(rig: Rig) -> None:
    vault = rig.vault
    recorder = RecorderVerbs(vault.store, vault.recorder).table()
    uplink = UplinkVerbs(vault.uplink, vault.arrivals, vault.uploads).table()
    for table in (recorder, uplink):
        for verb in ("approve", "decision", "pair", "admit", "settings", "segment", "session"):
            asked = Asked(verb, {})
            run(table, asked)  # type: ignore[arg-type]  # it has a request's methods
            assert asked.result.code == "verb"


@pytest.mark.parametrize(
    ("verb", "args"),
    [
        ("sealed", {"id": "../../etc/passwd"}),
        ("sealed", {"id": 7}),
        ("sealed", {}),
        ("status", {"faults": "none"}),
        ("status", {"faults": [1] * 100}),
    ],
)
def test_a_hostile_recorder_is_refused(rig: Rig, verb: str, args: dict[str, Any]) -> None:
    asked = Asked(verb, args)
    run(RecorderVerbs(rig.vault.store, rig.vault.recorder).table(), asked)  # type: ignore[arg-type]
    assert isinstance(asked.result, RefusedError)


@pytest.mark.parametrize(
    "motion",
    [
        *(None, [], "motion", {}, {"why": "motion"}, {"clip": 1, "why": "motion", "score_milli": 1}),
        *({"clip": True, "why": 7, "score_milli": 1}, {"clip": True, "why": "motion", "score_milli": "1"}),
    ],
)
def test_a_recorder_that_says_motion_in_another_form_has_said_nothing(rig: Rig, motion: Any) -> None:
    rig.vault.recorder.status({"recording": True, "faults": [], "motion": motion})
    assert rig.vault.recorder.motion == {}


def test_what_the_recorder_made_of_the_picture_goes_with_it(rig: Rig) -> None:
    link: Any = object()
    rig.vault.recorder.attach(link)
    said: Any = {"clip": True, "motion": True, "score_milli": 1_520, "why": "motion", "pre_roll_short_ms": 0}
    rig.vault.recorder.status({"recording": True, "faults": [], "motion": said})
    assert rig.vault.recorder.motion == {"clip": True, "why": "motion", "score_milli": 1_520}
    rig.vault.recorder.detached(link)
    assert rig.vault.recorder.motion == {}


def test_a_segment_that_is_not_what_its_sidecar_says_goes_to_quarantine(rig: Rig) -> None:
    segment = rig.record()
    folder = rig.config.device.state_dir / "segments"
    forged = new_id()
    (folder / f"{forged}.seg").write_bytes((folder / f"{segment}.seg").read_bytes())
    (folder / f"{forged}.json").write_bytes(
        (folder / f"{segment}.json").read_bytes().replace(segment.encode(), forged.encode())
    )
    with pytest.raises(RefusedError):
        rig.vault.store.sealed(forged)
    assert (rig.config.device.state_dir / "quarantine" / f"{forged}.seg").exists()
    assert "segments-quarantined" in rig.vault.house.faults.all()


def test_uplink_cannot_complete_an_upload_that_was_never_released(rig: Rig) -> None:
    rig.record()
    request_id = rig.ask()
    uplink = UplinkVerbs(rig.vault.uplink, rig.vault.arrivals, rig.vault.uploads).table()
    for verb, args in (
        ("created", {"request": request_id, "segment": new_id(), "location": "loc-abcdefgh"}),
        ("progress", {"request": request_id, "segment": new_id(), "sent": 5, "total": 5}),
        ("broker", {"state": "up", "why": ""}),
    ):
        run(uplink, Asked(verb, args))  # type: ignore[arg-type]
    assert rig.state(request_id) == "PENDING"
    assert rig.uplink.submissions == []


def test_a_recorder_that_only_says_that_the_disk_is_full_empties_nothing(rig: Rig) -> None:
    segment = rig.record()
    rig.vault.folder.free_bytes = lambda: ROOM_BYTES  # type: ignore[method-assign]  # the rig's own
    rig.vault.recorder.status({"recording": True, "faults": ["storage-full"]})
    assert rig.vault.store.holds(segment)


def test_a_fault_that_could_move_a_terminals_cursor_is_none(rig: Rig) -> None:
    rig.vault.recorder.status({"recording": True, "faults": ["camera-frozen", "\x1b[2J", "A" * 30, 7]})
    assert rig.vault.house.faults.all() == ["camera-frozen"]


def test_status_says_what_section_10_lists(rig: Rig) -> None:
    status = rig.vault.answers.status()
    assert json.dumps(status)
    assert {
        *("recording", "clock", "broker", "directory", "storage", "requests_enabled"),
        *("camera", "time_zone", "button", "faults"),
    } <= status.keys()
