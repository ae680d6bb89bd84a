"""Our own bugs inside a running vault, where a peer's words meet them."""

from pathlib import Path
from typing import NoReturn

import pytest

from agent.core.errors import BugError, DoorbellError, TroubleError
from agent.services.vault.peers import Peer, listen
from agent.services.wire import Link, Message
from tests.fakes.vault_rig import AGENCY, Rig


class OurBug:
    """Stands in place of a function that has a bug."""

    def __init__(self) -> None:
        self.met = 0

    def __call__(self, *_: object, **__: object) -> NoReturn:
        self.met += 1
        raise KeyError("nobody expected this")


def test_a_bug_that_a_verb_meets_is_answered_and_the_vault_lives(
    rig: Rig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = listen(Peer("page", {"odd": OurBug(), "status": lambda _: Message()}), tmp_path, rig.vault.loop)
    link = Link.connect(tmp_path / "page.sock")
    answers: list[Message | DoorbellError] = []
    for verb in ("odd", "status"):
        link.call_async(verb, {}, answers.append)
    for _ in range(100):
        rig.vault.loop.step(0.05)
        if len(answers) == 2:
            break
    odd, still = answers
    assert isinstance(odd, TroubleError)
    assert odd.code == "bug"
    assert isinstance(still, Message)
    assert [record.exc_info is not None for record in caplog.records if "a bug" in record.message] == [True]
    link.close()
    server.close()


def test_a_bug_that_a_late_decision_meets_is_answered(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    request_id = rig.ask_the_owner()
    raw = rig.phone.consent(rig, request_id)
    monkeypatch.setattr("agent.services.vault.decisions_desk.check_consent", OurBug())
    assert isinstance(rig.decide(request_id, raw), BugError)
    assert rig.state(request_id) == "PENDING"


def test_a_bug_that_a_message_meets_harms_no_other_message(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, bug, heard = rig.vault.arrivals, OurBug(), []

    def message(kind: object, raw: bytes) -> None:
        heard.append((kind, raw))
        if raw == b"odd":
            bug()

    monkeypatch.setattr(desk, "message", message)
    desk._waiting[AGENCY] = [b"odd", b"good"]
    rig.vault.directory.look_up(AGENCY, lambda error: desk._looked_up(AGENCY, error))
    rig.settle()
    assert heard == [("req", b"odd"), ("req", b"good")]
    assert bug.met == 1


def test_a_bug_that_a_receipt_meets_is_tried_again_and_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    request_id = rig.ask_the_owner()
    rig.share(request_id)
    with monkeypatch.context() as patch:
        patch.setattr("agent.services.vault.uploads_desk.check_receipt", OurBug())
        rig.pass_s(65)
        assert rig.state(request_id) == "HANDED_OVER"
    assert "nobody expected this" in caplog.text
    assert "upload-waits" in rig.vault.house.faults.all()
    rig.pass_s(60)
    assert rig.state(request_id) == "DELIVERED"


def test_a_bug_that_the_directory_meets_is_told_with_its_trace(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.platform.refresh = OurBug()  # type: ignore[method-assign]  # the fake's own
    said: list[DoorbellError | None] = []
    rig.vault.directory.refresh(said.append)
    rig.settle()
    assert [isinstance(one, TroubleError) for one in said] == [True]
    assert "nobody expected this" in caplog.text
    assert "directory" in rig.vault.house.faults.all()
