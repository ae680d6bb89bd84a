"""The page's end of its socket: how long it waits for an answer."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.core.errors import TroubleError
from agent.services.deadlines import DECISION_S
from agent.services.page_vault import WireVault
from agent.services.unix_server import Server
from agent.services.vault.directory_desk import DEADLINE_S
from agent.services.wire import Link, Message, Request
from tests.fakes.clock import FakeClock

FASTER = 100


@pytest.fixture
def slow_vault(tmp_path: Path) -> Iterator[Path]:
    """A vault that takes 40 s for every answer, where time passes a hundred times faster."""
    timers: list[threading.Timer] = []
    links: list[Link] = []

    def later(request: Request) -> None:
        timer = threading.Timer(40 / FASTER, lambda: request.answer(Message({"body": {"state": "GRACE"}})))
        timers.append(timer)
        timer.start()

    def on_socket(sock: socket.socket) -> None:
        links.append(Link(sock, later).start())

    server = Server(tmp_path / "page.sock", on_socket)
    yield tmp_path / "page.sock"
    for timer in timers:
        timer.join()
    server.close()
    for link in links:
        link.close()


def test_a_share_that_waits_for_the_directory_is_not_called_refused(
    slow_vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Link.call

    def faster(self: Link, *args: Any, timeout_s: float = 10.0, **more: Any) -> Message:
        return call(self, *args, timeout_s=timeout_s / FASTER, **more)

    monkeypatch.setattr(Link, "call", faster)
    with contextlib.closing(WireVault(slow_vault, FakeClock(), lambda: None)) as page:
        with pytest.raises(TroubleError) as late:
            page.status("a session")
        assert late.value.code == "late"
        assert page.decision("a session", "0" * 32, b"{}") == {"state": "GRACE"}


def test_who_waits_for_a_decision_waits_longer_than_the_vault_does_for_the_directory() -> None:
    assert DECISION_S > 2 * DEADLINE_S  # a refresh, and the agency's file
