"""The vault's sockets: peers that leave early, come in numbers, or find no room."""

import socket
import threading
import time
from pathlib import Path

import pytest

from agent.core.errors import DoorbellError, TroubleError
from agent.services.unix_server import Server
from agent.services.vault.peers import MAX_LINKS, Peer, listen
from agent.services.wire import Link, Message, Request
from tests.fakes.vault_rig import Rig


def test_a_caller_that_leaves_before_its_answer_harms_nobody(rig: Rig, tmp_path: Path) -> None:
    asked = threading.Event()
    kept: list[Request] = []

    def slow(request: Request) -> None:
        kept.append(request)
        asked.set()

    server = listen(Peer("console", {"approve": slow, "status": lambda _: Message()}), tmp_path, rig.vault.loop)
    link = Link.connect(tmp_path / "console.sock")
    link.call_async("approve", {}, lambda _: None)
    for _ in range(100):
        rig.vault.loop.step(0.05)
        if asked.is_set():
            break
    link.close()
    other = Link.connect(tmp_path / "console.sock")
    answers: list[Message | DoorbellError] = []
    other.call_async("status", {}, answers.append)
    kept[0].answer(Message({"state": "GRACE"}))
    kept[0].refuse(TroubleError("link", "whatever"))
    for _ in range(100):
        rig.vault.loop.step(0.05)
        if answers:
            break
    assert isinstance(answers[0], Message)
    other.close()
    server.close()


def test_an_uplink_that_is_hung_up_on_ends_and_who_waits_for_it_is_told(rig: Rig) -> None:
    go_on, ended = threading.Event(), threading.Event()

    def hang(_verb: str, _message: Message) -> Message:
        go_on.wait(20)
        return Message()

    desk, answers = rig.vault.uplink, list[Message | DoorbellError]()
    link = Link.connect(rig.config.device.run_dir / "uplink.sock", hang, on_close=ended.set)
    for _ in range(100):
        rig.vault.loop.step(0.05)
        if isinstance(desk._link, Link):
            break
    desk.call("upload", {}, answers.append)
    desk.hang_up()
    assert ended.wait(20)
    for _ in range(100):
        rig.vault.loop.step(0.05)
        if answers:
            break
    assert [one.code for one in answers if isinstance(one, TroubleError)] == ["link"]
    assert "uplink-down" in rig.vault.house.faults.all()
    go_on.set()
    link.close()


def test_one_kind_of_peer_cannot_take_every_descriptor(rig: Rig, tmp_path: Path) -> None:
    server = listen(Peer("page", {}), tmp_path, rig.vault.loop)
    links = [Link.connect(tmp_path / "page.sock") for _ in range(MAX_LINKS + 5)]
    for _ in range(200):
        if sum(link.closed for link in links) == 5:
            break
        time.sleep(0.01)
    assert sum(link.closed for link in links) == 5
    for link in links:
        link.close()
    rig.settle()
    server.close()


def test_a_server_that_had_no_descriptor_for_a_while_listens_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted: list[socket.socket] = []
    accept, fails = socket.socket.accept, [OSError(24, "Too many open files")] * 2

    def sometimes(self: socket.socket) -> object:
        if fails:
            raise fails.pop()
        return accept(self)

    monkeypatch.setattr(socket.socket, "accept", sometimes)
    server = Server(tmp_path / "s.sock", accepted.append)
    link = Link.connect(tmp_path / "s.sock")
    for _ in range(300):
        if accepted:
            break
        time.sleep(0.01)
    assert len(accepted) == 1
    link.close()
    accepted[0].close()
    server.close()


def test_peers_that_found_no_thread_left_take_no_place_and_leave_the_socket_open(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(self: Link) -> Link:
        raise RuntimeError("can't start new thread")

    attached: list[Link] = []
    peer = Peer("page", {"status": lambda _: Message()}, attached.append, attached.remove)
    server = listen(peer, tmp_path, rig.vault.loop)
    with monkeypatch.context() as patch:
        patch.setattr(Link, "start", no_thread)
        for _ in range(MAX_LINKS + 1):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(5)
            sock.connect(str(tmp_path / "page.sock"))
            assert sock.recv(1) == b""
            sock.close()
    rig.settle()
    assert attached == []
    link = Link.connect(tmp_path / "page.sock")
    answers: list[Message | DoorbellError] = []
    link.call_async("status", {}, answers.append)
    for _ in range(100):
        rig.vault.loop.step(0.05)
        if answers:
            break
    assert isinstance(answers[0], Message)
    link.close()
    server.close()


def test_a_path_that_is_too_long_for_a_socket_is_a_plain_line(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    with pytest.raises(TroubleError, match="too long"):
        Server(folder / "console.sock", socket.socket.close)
