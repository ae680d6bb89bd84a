"""When the real vault fetches the directory, what becomes of who waits for it, and what is told."""

from concurrent.futures import Executor, Future
from typing import Any

import pytest

from agent.consent.directory import Region, RegionAgency
from agent.core.errors import DoorbellError, TroubleError
from agent.services.wire import Message
from tests.fakes.platform import CAMERA
from tests.fakes.vault_rig import Rig


def test_the_list_of_agencies_is_as_new_as_the_directory(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def region(_: object, cell: str) -> Region:
        named = f"The police of version {rig.platform.version}"
        return Region(cell, (RegionAgency("us-ca-examplepd", named, CAMERA),), b"")

    def listed() -> list[str]:
        rows: Any = rig.vault.answers.agencies()
        return [row["name"] for row in rows]

    assert listed() == []
    monkeypatch.setattr(rig.platform, "region", region)
    for version in (2, 3):
        rig.platform.version = version
        rig.vault.directory.refresh(lambda _: None)
        rig.settle()
        assert listed() == [f"The police of version {version}"]


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


def test_why_the_directory_cannot_be_had_is_told_once(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.platform.is_reachable = False
    for _ in range(3):
        rig.vault.directory.refresh(lambda _: None)
        rig.settle()
    assert caplog.text.count("The directory does not answer.") == 1
    rig.platform.is_reachable = True
    rig.vault.directory.refresh(lambda _: None)
    rig.settle()
    rig.platform.is_reachable = False
    rig.vault.directory.refresh(lambda _: None)
    rig.settle()
    assert caplog.text.count("The directory does not answer.") == 2


def test_a_refresh_that_uplink_missed_is_made_when_it_is_back(rig: Rig) -> None:
    refresh, fetched = rig.platform.refresh, []

    def missed(_fetch: object) -> Any:
        raise TroubleError("link", "uplink is not running")

    def counted(fetch: object) -> Any:
        fetched.append(fetch)
        return refresh(fetch)

    rig.platform.refresh = missed  # type: ignore[method-assign]  # the fake's own
    rig.vault.directory.refresh(lambda _: None)
    rig.settle()
    rig.platform.refresh = counted  # type: ignore[method-assign,assignment]  # the fake's own
    for _ in range(2):  # once for what was missed, and then nothing is
        rig.connect()
        assert len(fetched) == 1
