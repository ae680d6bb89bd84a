"""The clock inside the vault: steps that add up, directories that end a suspicion, 72 hours by trusted time."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.core.errors import RefusedError
from tests.fakes.vault_rig import FullDisk, Rig


def test_an_unsynchronised_start_puts_requests_off_and_maps_clips_later(tmp_path: Path) -> None:
    rig = Rig(tmp_path, device='name = "x"\n')
    rig.clock.is_synchronised = False
    rig.clock.reboot()
    rig.restart()
    rig.clock.jump_s(-9_000_000)
    rig.record(clock="unsynced", start_s=100, mono_ms=15_000)
    rig.pass_s(10)
    assert rig.vault.answers.status()["clock"] == "unsynced"
    subscribed = [verb for verb, _ in rig.uplink.calls].count("subscribe")
    rig.clock.jump_s(9_000_000)
    rig.clock.is_synchronised = True
    rig.pass_s(10)
    assert rig.vault.answers.status()["clock"] == "synced"
    assert [verb for verb, _ in rig.uplink.calls].count("subscribe") > subscribed
    clip: Any = rig.vault.answers.clips(rig.vault.house.phones[rig.phone.kid], 10**15, 10)
    boot_offset_ms = rig.clock.utc_ms() - rig.clock.boot_ns() // 10**6
    assert clip[0]["start_ms"] == 15_000 + boot_offset_ms
    assert clip[0]["segments"][0]["start_ms"] == 100_000
    rig.close()


def test_a_clock_90_days_ahead_deletes_nothing_and_shares_nothing(rig: Rig) -> None:
    segment = rig.record()
    request_id = rig.ask()
    rig.clock.jump_s(90 * 86_400)
    rig.pass_s(10)
    rig.vault.store.sweep()
    assert (rig.config.device.state_dir / "segments" / f"{segment}.seg").exists()
    assert rig.vault.answers.status()["clock"] == "suspect"
    refused = rig.share(request_id)
    assert isinstance(refused, RefusedError)
    assert refused.code in {"C_STALE", "C_CLOCK"}


def test_an_admitted_phone_ends_a_suspicion(rig: Rig) -> None:
    rig.clock.jump_s(2 * 86_400)
    rig.pass_s(5)
    assert rig.vault.answers.status()["clock"] == "suspect"
    now_s = rig.clock.utc_ms() // 1_000
    rig.vault.phones.act(rig.phone.action(rig, "settings", {"clock_at": now_s - 86_400}))
    assert rig.vault.answers.status()["clock"] == "suspect"
    rig.vault.phones.act(rig.phone.action(rig, "settings", {"clock_at": now_s}))
    assert rig.vault.answers.status()["clock"] == "synced"


def test_a_clock_that_goes_ahead_in_steps_deletes_nothing(rig: Rig) -> None:
    segment = rig.record()
    rig.platform.is_reachable = False
    for step in range(40):
        rig.clock.jump_s(23 * 3_600)
        rig.pass_s(3, step_s=3)
        rig.vault.store.sweep()
        if step % 10 == 0:
            rig.restart()
    assert (rig.config.device.state_dir / "segments" / f"{segment}.seg").exists()
    assert rig.vault.answers.status()["clock"] == "suspect"


def _clocks(rig: Rig) -> list[str]:
    return [entry["state"] for entry in rig.log() if entry["t"] == "clock"]


@pytest.mark.parametrize("back_h", [30, 12])
def test_a_suspicion_ends_when_the_directory_that_is_held_brackets_now(rig: Rig, back_h: int) -> None:
    rig.platform.is_reachable = False
    rig.clock.jump_s(30 * 3_600)
    rig.pass_s(60)
    assert rig.vault.answers.status()["clock"] == "suspect"
    rig.clock.jump_s(-back_h * 3_600)
    rig.pass_s(10)
    assert rig.vault.answers.status()["clock"] == "synced"
    assert "clock-suspect" not in rig.vault.house.faults.all()
    assert _clocks(rig)[-1] == "synced"
    assert not json.loads((rig.config.device.state_dir / "recipients.json").read_text())["suspect"]


@pytest.mark.parametrize("back_h", [48, 30])  # to where it was, or to what is no jump from there
def test_a_restart_ends_no_suspicion_of_a_clock_that_went_back(rig: Rig, back_h: int) -> None:
    rig.platform.is_reachable = False
    rig.clock.jump_s(48 * 3_600)
    rig.pass_s(10)
    assert rig.vault.answers.status()["clock"] == "suspect"
    rig.platform._view = replace(rig.platform.view, timestamp_expires_s=0)  # type: ignore[type-var]  # brackets nothing
    rig.clock.jump_s(-back_h * 3_600)
    rig.restart()
    rig.pass_s(10)
    assert rig.vault.answers.status()["clock"] == "suspect"
    assert _clocks(rig)[-1] == "suspect"
    assert json.loads((rig.config.device.state_dir / "recipients.json").read_text())["suspect"]
    now_s = rig.clock.utc_ms() // 1_000
    rig.vault.phones.act(rig.phone.action(rig, "settings", {"clock_at": now_s}))
    assert _clocks(rig)[-1] == "synced"
    rig.restart()
    rig.pass_s(10)
    assert rig.vault.answers.status()["clock"] == "synced"
    assert not json.loads((rig.config.device.state_dir / "recipients.json").read_text())["suspect"]


def test_a_renewed_timestamp_ends_a_suspicion(rig: Rig) -> None:
    rig.platform.is_reachable = False
    rig.clock.jump_s(2 * 86_400)
    rig.pass_s(10)
    assert rig.vault.answers.status()["clock"] == "suspect"
    rig.platform.now_s = rig.vault.directory.view.platform.issued_s + 3_600  # type: ignore[union-attr]  # as at first
    rig.platform.is_reachable, rig.platform.life_s = True, 30 * 86_400
    rig.vault.directory.refresh(lambda _: None)
    rig.settle()
    assert rig.vault.answers.status()["clock"] == "synced"


def test_a_full_disk_delays_the_end_of_a_suspicion_and_loses_no_mapping(rig: Rig) -> None:
    rig.clock.jump_s(30 * 3_600)
    rig.pass_s(5)
    disk = FullDisk(rig)
    rig.clock.jump_s(-12 * 3_600)
    rig.pass_s(10)
    assert _clocks(rig)[-1] == "suspect"
    disk.make_room()
    rig.pass_s(30)
    assert _clocks(rig)[-1] == "synced"


def test_a_clock_that_is_no_longer_synchronised_is_a_fault_until_it_is(rig: Rig) -> None:
    assert "clock-unsynced" not in rig.vault.house.faults.all()
    rig.clock.is_synchronised = False
    rig.pass_s(3, step_s=3)
    assert rig.vault.answers.status()["clock"] == "unsynced"
    assert "clock-unsynced" in rig.vault.house.faults.all()
    rig.clock.is_synchronised = True
    rig.pass_s(3, step_s=3)
    assert "clock-unsynced" not in rig.vault.house.faults.all()


def test_a_step_that_matters_to_a_clip_is_logged_and_mapped_anew(rig: Rig) -> None:
    before = rig.vault.house.now()
    rig.clock.jump_s(1.5)
    rig.pass_s(3, step_s=3)
    clocks = [entry["offset_ms"] for entry in rig.log() if entry["t"] == "clock"]
    assert clocks[-1] == before.utc_ms - before.boot_ns // 1_000_000 + 1_500
    (mapped,) = rig.vault.db.tx.execute("SELECT offset_ms FROM mappings").fetchone()
    assert mapped == clocks[-1]


def test_what_is_signed_raises_the_floor_of_an_unknown_clock(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.clock.is_synchronised = False
    rig.clock.reboot()
    rig.platform.now_s += 900 * 86_400
    rig.restart()
    assert rig.vault.house.keeper.floor_s == rig.platform.now_s - 3_600
    rig.close()


def test_a_submission_handed_over_without_the_time_waits_72_hours_from_when_it_is_known(rig: Rig) -> None:
    rig.record()
    request_id = rig.ask()
    rig.share(request_id)
    rig.uplink.holds_back = True
    rig.pass_s(61)
    assert rig.state(request_id) == "UPLOADING"
    rig._receipt = lambda *_: b"no receipt"  # type: ignore[method-assign]  # the rig's own
    rig.uplink.holds_back = False
    rig.clock.is_synchronised = False
    rig.clock.reboot()
    rig.clock.jump_s(-80 * 3_600)  # a clock that only remembers when it was last on
    rig.restart()
    rig.pass_s(30)
    assert rig.state(request_id) == "HANDED_OVER"
    rig.clock.jump_s(80 * 3_600)
    rig.clock.is_synchronised = True
    rig.pass_s(71 * 3_600, step_s=600)
    assert rig.state(request_id) == "HANDED_OVER"
    rig.pass_s(2 * 3_600, step_s=600)
    assert rig.state(request_id) == "UNCONFIRMED"
