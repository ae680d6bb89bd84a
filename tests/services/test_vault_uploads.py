"""Uploads between vault and uplink: what a stop, an odd uplink and a long back-off do to them."""

from typing import Any

import pytest

from agent.consent import sqlite_uploads
from agent.consent.states import State
from agent.core.errors import TroubleError
from agent.core.ids import Id, new_id
from agent.services.vault.discards_desk import MAX_DISCARDS
from agent.services.vault.uplink_desk import RETRY_HIGH_S, RETRY_LOW_S, SILENT_S
from agent.services.wire import Message
from tests.fakes.vault_rig import Rig


def _uploading(rig: Rig) -> tuple[Id, Id]:
    """Let a share become UPLOADING, with its upload under way."""
    segment = rig.record()
    request_id = rig.ask()
    assert rig.share(request_id) is State.GRACE
    rig.uplink.holds_back = True
    rig.pass_s(61)
    assert rig.state(request_id) == "UPLOADING"
    return request_id, segment


def _discarded(rig: Rig) -> list[str]:
    return [where for verb, args in rig.uplink.calls if verb == "discard" for where in args["locations"]]


def test_an_upload_that_was_created_while_its_request_was_stopped_is_deleted_too(rig: Rig) -> None:
    rig.uplink.fails = True  # as an attempt that is stopped does
    request_id, segment = _uploading(rig)
    rig.vault.decisions.stop(request_id)
    rig.settle()
    rig.vault.uploads.created(request_id, segment, "created-too-late")
    rig.uplink.let_go()
    rig.settle()
    assert _discarded(rig) == ["created-too-late"]
    assert sqlite_uploads.uploads(rig.vault.db.tx, request_id) == {}


@pytest.fixture
def refusing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Let the upload server delete nothing for as long as this holds True."""
    refuses, call_async = [True], rig.uplink.call_async

    def call(verb: str, args: Any, on_reply: Any, **more: Any) -> int:
        if verb == "discard" and refuses[-1]:
            return call_async(verb, args, lambda _: on_reply(TroubleError("upload", "it does not answer")), **more)
        return call_async(verb, args, on_reply, **more)

    monkeypatch.setattr(rig.uplink, "call_async", call)
    return refuses


def _stopped(rig: Rig) -> Id:
    """Stop an upload that was created."""
    request_id, segment = _uploading(rig)
    rig.vault.uploads.created(request_id, segment, "first-location")
    rig.vault.decisions.stop(request_id)
    rig.settle()
    assert rig.state(request_id) == "WITHDRAWN"
    return request_id


def test_an_upload_that_could_not_be_deleted_is_deleted_later(
    rig: Rig, refusing: list[bool], caplog: pytest.LogCaptureFixture
) -> None:
    request_id = _stopped(rig)
    rig.pass_s(3_600, step_s=10)
    assert caplog.text.count(f"request {request_id}: what was uploaded before it ended is not deleted yet") == 1
    tried = len(_discarded(rig))
    assert 4 <= tried <= 3_600 / RETRY_LOW_S
    refusing.append(False)
    rig.pass_s(RETRY_HIGH_S, step_s=10)
    assert sqlite_uploads.uploads(rig.vault.db.tx, request_id) == {}
    assert len(_discarded(rig)) == tried + 1
    rig.pass_s(3_600, step_s=60)
    assert len(_discarded(rig)) == tried + 1


def test_deleting_is_tried_so_many_times_and_again_when_uplink_comes_back(rig: Rig, refusing: list[bool]) -> None:
    assert refusing == [True]
    _stopped(rig)
    (job,) = rig.vault.uploads._discards._jobs.values()
    job.attempt = MAX_DISCARDS - 1
    rig.pass_s(4 * RETRY_HIGH_S, step_s=60)
    tried = len(_discarded(rig))
    assert tried <= 3
    for _ in range(5):  # one chain of tries, however often it comes
        rig.connect()
    rig.pass_s(3 * RETRY_HIGH_S, step_s=10)
    assert tried + 5 + 2 <= len(_discarded(rig)) <= tried + 5 + 25


def test_deleting_one_upload_does_not_forget_another(rig: Rig) -> None:
    request_id, segment = _uploading(rig)
    other = new_id()
    with rig.vault.db.transaction() as tx:
        sqlite_uploads.put_upload(tx, request_id, segment, "first-location", complete=False)
        sqlite_uploads.put_upload(tx, request_id, other, "other-location", complete=False)
        sqlite_uploads.forget_locations(tx, request_id, ["first-location"])
        assert sqlite_uploads.uploads(tx, request_id) == {other: ("other-location", False)}


def test_a_place_that_uplink_makes_up_is_not_kept(rig: Rig) -> None:
    request_id, segment = _uploading(rig)
    rig.vault.uploads._uploaded(request_id, segment, Message({"location": "x" * 1_000_000}))
    rig.settle()
    assert rig.state(request_id) == "UPLOADING"
    assert sqlite_uploads.uploads(rig.vault.db.tx, request_id) == {}


def test_a_stopped_upload_is_no_fault_any_more(rig: Rig) -> None:
    rig.uplink.fails = True
    request_id, _ = _uploading(rig)
    rig.uplink.let_go()
    rig.settle()
    assert "upload-waits" in rig.vault.house.faults.all()
    rig.vault.decisions.stop(request_id)
    rig.settle()
    assert "upload-waits" not in rig.vault.house.faults.all()


def test_an_uplink_that_comes_and_goes_makes_no_more_attempts_than_section_13_allows(rig: Rig) -> None:
    rig.uplink.fails = True
    rig.record()
    request_id = rig.ask()
    rig.share(request_id)
    rig.pass_s(61)
    rig.pass_s(600)
    before = sum(verb == "upload" for verb, _ in rig.uplink.calls)
    for _ in range(20):  # it dies and comes back every second
        rig.connect()
        rig.pass_s(1, step_s=1)
    rig.pass_s(40, step_s=1)
    made = sum(verb == "upload" for verb, _ in rig.uplink.calls) - before
    assert made <= 60 / RETRY_LOW_S
    assert rig.state(request_id) == "UPLOADING"


def test_why_an_upload_waits_is_told_once(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    request_id = rig.ask_the_owner()
    rig.share(request_id)
    rig.uplink.fails = True
    rig.pass_s(600)
    assert caplog.text.count("the upload server does not answer") == 1
    assert request_id in caplog.text


def test_the_pages_are_told_how_far_a_whole_request_is(rig: Rig) -> None:
    def under_way() -> Any:
        return [args for verb, args in rig.uplink.calls if verb == "upload"][-1]

    def told() -> list[tuple[int, int]]:
        return [(data["sent"], data["total"]) for name, data in rig.events if name == "progress"]

    rig.record()
    request_id, _ = _uploading(rig)
    first = under_way()
    for sent in (5, -1, "7", None, True):
        rig.vault.uploads.progress(request_id, first["segment"], sent)
    ((sent_bytes, total_bytes),) = told()
    assert sent_bytes == 5
    rig.uplink.let_go()
    rig.settle()
    second = under_way()
    assert total_bytes == first["bytes"] + second["bytes"]
    for sent in (9, 10**12):
        rig.vault.uploads.progress(request_id, second["segment"], sent)
    assert told()[1:] == [(first["bytes"] + 9, total_bytes), (total_bytes, total_bytes)]


# ---- an uplink that hangs


def test_on_an_uplink_that_never_answers_the_vault_hangs_up_and_the_upload_goes_on(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    request_id, _ = _uploading(rig)
    rig.pass_s(SILENT_S - 120, step_s=60)
    assert "uplink-down" not in rig.vault.house.faults.all()
    rig.pass_s(180, step_s=60)
    assert "uplink-down" in rig.vault.house.faults.all()
    assert caplog.text.count("has not answered for 30 minutes") == 1
    rig.uplink.holds_back = False
    rig.connect()
    rig.pass_s(30)
    assert rig.state(request_id) == "DELIVERED"
    assert rig.vault.house.faults.all() == ["recorder-down"]


def test_an_uplink_that_never_answers_a_submission_is_hung_up_on_too(rig: Rig) -> None:
    request_id, _ = _uploading(rig)
    rig.uplink.let_go()
    rig.settle()
    assert rig.state(request_id) == "HANDED_OVER"
    rig.pass_s(SILENT_S + 60, step_s=60)
    assert "uplink-down" in rig.vault.house.faults.all()
    rig.uplink.holds_back = False
    rig.connect()
    rig.pass_s(30)
    assert rig.state(request_id) == "DELIVERED"


def test_an_uplink_that_says_how_far_it_is_is_waited_for(rig: Rig) -> None:
    request_id, segment = _uploading(rig)
    for sent in range(1, 6):
        rig.pass_s(SILENT_S - 120, step_s=60)
        rig.vault.uploads.progress(request_id, segment, sent)
    rig.vault.uploads.created(request_id, segment, "loc-abcdefgh")
    rig.pass_s(SILENT_S - 120, step_s=60)
    assert "uplink-down" not in rig.vault.house.faults.all()
    rig.uplink.holds_back = False
    rig.uplink.let_go()
    rig.pass_s(30)
    assert rig.state(request_id) == "DELIVERED"


def test_an_uplink_that_never_answers_a_delete_is_hung_up_on_and_asked_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_async = rig.uplink.call_async

    def call(verb: str, args: Any, on_reply: Any, **more: Any) -> int:
        if verb == "discard":
            rig.uplink.calls.append((verb, args))
            rig.uplink.waiting.append((on_reply, Message()))
            return 1
        return call_async(verb, args, on_reply, **more)

    with monkeypatch.context() as patch:
        patch.setattr(rig.uplink, "call_async", call)
        request_id = _stopped(rig)
        rig.pass_s(SILENT_S + 60, step_s=60)
    assert "uplink-down" in rig.vault.house.faults.all()
    rig.connect()
    assert sqlite_uploads.uploads(rig.vault.db.tx, request_id) == {}
