"""The clock inside the vault: steps that add up, directories that end a suspicion, 72 hours by trusted time."""

import json
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.core.errors import DoorbellError, TroubleError
from agent.services.wire import Message
from tests.fakes.vault_rig import FullDisk, Rig


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


class KeepingExecutor(Executor):
    """Keeps what was raised in the future, as the directory's own thread does."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except ValueError as exc:
            future.set_exception(exc)
        return future


def test_a_directory_that_cannot_be_read_at_all_still_ends_every_wait(rig: Rig) -> None:
    def broken(_fetch: object) -> None:
        raise ValueError("no verifier should")

    desk = rig.vault.directory
    desk._pool = KeepingExecutor()
    rig.platform.refresh = broken  # type: ignore[method-assign,assignment]  # the fake's own
    said: list[DoorbellError | None] = []
    for _ in range(100):
        desk.refresh(said.append)
        rig.settle()
    assert len(said) == 100
    assert all(isinstance(one, TroubleError) for one in said)
    assert desk._waiting == 0


def test_a_directory_that_answers_late_is_a_fault_and_is_tried_again(rig: Rig) -> None:
    refresh, call = rig.platform.refresh, rig.uplink.call

    def fetched(fetch: Any) -> Any:
        fetch("metadata/timestamp.json", 16_384)
        return refresh(fetch)

    def late(*_: Any, **__: Any) -> Message:
        raise TroubleError("late", "the other process did not answer in time")

    rig.platform.refresh, rig.uplink.call = fetched, late  # type: ignore[method-assign,assignment]  # the fakes' own
    rig.vault.directory.refresh(lambda _: None)
    rig.settle()
    assert "directory-late" in rig.vault.house.faults.all()
    rig.uplink.call = lambda *_, **__: Message(blob=b"{}")  # type: ignore[method-assign]  # the fake's own
    rig.pass_s(360)
    assert "directory-late" not in rig.vault.house.faults.all()
    rig.uplink.call = call  # type: ignore[method-assign]  # the fake's own


def test_every_version_that_a_fetch_did_not_reach_rests_for_an_hour(rig: Rig) -> None:
    fetched: list[object] = []
    refresh = rig.platform.refresh

    def counted(fetch: object) -> Any:
        fetched.append(fetch)
        return refresh(fetch)

    rig.platform.refresh = counted  # type: ignore[method-assign,assignment]  # the fake's own
    for _ in range(5):
        now_s = rig.clock.utc_ms() // 1_000
        for version in (50, 51):
            _, raw = rig.platform.request(from_s=now_s - 600, to_s=now_s, iat_s=now_s, dirv=version)
            rig.vault.arrivals.message("req", raw)
        rig.pass_s(60)
    assert len(fetched) == 1
