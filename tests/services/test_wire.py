"""The socket layer: calls both ways, blobs, descriptors, and a hostile peer."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.core.errors import BugError, DoorbellError, RefusedError, TroubleError
from agent.services.reasons import MAX_WHY
from agent.services.unix_server import Server
from agent.services.wire import MAX_FRAME_BYTES, Link, Message, Request, run_handler

BUGS = {"key": KeyError("a secret"), "os": OSError(5, "a secret"), "ours": BugError("a secret")}


def _open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Peer:
    """A server that keeps its links."""

    def __init__(self, path: Path, handler: Callable[[str, Message], Message]) -> None:
        self.links: list[Link] = []
        self.connected = threading.Event()

        def on_socket(sock: socket.socket) -> None:
            link = Link(sock, lambda request: run_handler(request, handler))
            self.links.append(link)  # before it can hand anything on
            link.start()
            self.connected.set()

        self.server = Server(path, on_socket)

    def close(self) -> None:
        for link in self.links:
            link.close()
        self.server.close()


def _echo(verb: str, message: Message) -> Message:
    if verb == "refuse":
        raise RefusedError("C_STATE", "no")
    if verb == "trouble":
        raise TroubleError("storage-full", "free some space")
    if verb in BUGS:
        raise BUGS[verb]
    fds = [os.dup(fd) for fd in message.fds]
    return Message({"verb": verb, "got": message.args}, message.blob, fds)


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    made = Peer(tmp_path / "s.sock", _echo)
    yield made
    made.close()


@pytest.fixture
def link(peer: Peer, tmp_path: Path) -> Iterator[Link]:
    made = Link.connect(tmp_path / "s.sock", lambda verb, _: Message({"back": verb}))
    yield made
    made.close()


def test_a_call_is_answered(link: Link) -> None:
    assert link.call("hello", {"a": 1}).args == {"verb": "hello", "got": {"a": 1}}


def test_arguments_larger_than_a_frame_travel_beside_it(link: Link) -> None:
    text = "x" * (3 * MAX_FRAME_BYTES)
    assert link.call("big", {"text": text}, blob=b"b" * 100_000).args["got"] == {"text": text}


def test_a_blob_comes_back_whole(link: Link) -> None:
    blob = os.urandom(1_000_000)
    assert link.call("blob", blob=blob).blob == blob
    assert link.call("blob", blob=b"").blob == b""


def test_a_descriptor_is_handed_over(link: Link, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"content")
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    reply = link.call("fd", fds=[fd], blob=b"x", takes_fds=True)
    os.close(fd)
    got = reply.take_fd()
    assert os.pread(got, 100, 0) == b"content"
    os.close(got)


def test_a_refusal_keeps_its_code(link: Link) -> None:
    with pytest.raises(RefusedError) as refused:
        link.call("refuse")
    assert refused.value.code == "C_STATE"
    with pytest.raises(TroubleError) as trouble:
        link.call("trouble")
    assert trouble.value.code == "storage-full"


@pytest.mark.parametrize("verb", BUGS)
def test_whatever_a_handler_raises_is_answered_and_told_with_its_trace(
    link: Link, verb: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(TroubleError, match="a mistake") as answered:
        link.call(verb, timeout_s=5)
    assert answered.value.code == "bug"
    assert "a secret" not in str(answered.value)
    (told,) = caplog.records
    assert told.exc_info is not None
    assert told.exc_info[1] is BUGS[verb]
    assert link.call("still there").args["verb"] == "still there"


def test_the_server_can_call_too(link: Link, peer: Peer) -> None:
    link.call("hello")
    assert peer.links[0].call("ping").args == {"back": "ping"}


def test_a_peer_that_leaves_fails_the_waiting_call(tmp_path: Path) -> None:
    server = Server(tmp_path / "s.sock", lambda sock: sock.close())
    link = Link.connect(tmp_path / "s.sock")
    with pytest.raises(TroubleError):
        link.call("hello")
    link.close()
    server.close()


def test_nobody_listening_is_one_plain_line(tmp_path: Path) -> None:
    with pytest.raises(TroubleError, match="is the doorbell running"):
        Link.connect(tmp_path / "none.sock")


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xff\xff\xff",
        b"\0\0\0\2[]",
        b"\0\0\0\2{}",
        b'\0\0\0\x10{"id":1,"fds":9}',
        b"\0\0\0\4nope",
    ],
)
def test_what_is_no_frame_ends_the_link_and_nothing_else(peer: Peer, tmp_path: Path, raw: bytes) -> None:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(tmp_path / "s.sock"))
    sock.sendall(raw)
    sock.settimeout(5)
    assert sock.recv(1) == b""
    sock.close()
    good = Link.connect(tmp_path / "s.sock")
    assert good.call("still").args["verb"] == "still"
    good.close()


def test_memory_that_could_still_change_is_refused(peer: Peer, tmp_path: Path) -> None:
    fd = os.memfd_create("open")
    os.write(fd, b"{}")
    raw = b'{"id":1,"verb":"x","args":{},"blob":true,"big":false,"fds":0}'
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(tmp_path / "s.sock"))
    socket.send_fds(sock, [len(raw).to_bytes(4, "big") + raw], [fd])
    os.close(fd)
    sock.settimeout(5)
    assert sock.recv(1) == b""
    sock.close()


def test_another_user_is_not_let_in(tmp_path: Path) -> None:
    links: list[socket.socket] = []
    server = Server(tmp_path / "s.sock", links.append, uids=frozenset({os.getuid() + 1}))
    link = Link.connect(tmp_path / "s.sock")
    with pytest.raises(TroubleError):
        link.call("hello")
    assert links == []
    link.close()
    server.close()


def test_no_descriptor_leaks_over_many_calls(link: Link, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"content")
    link.call("warm", blob=b"x")
    before = _open_descriptors()
    for _ in range(50):
        fd = os.open(tmp_path / "f", os.O_RDONLY)
        link.call("fd", {"text": "x" * MAX_FRAME_BYTES}, fds=[fd], blob=b"x")
        link.call("fd", {"text": "x" * MAX_FRAME_BYTES}, fds=[fd], blob=b"x", takes_fds=True).close()
        os.close(fd)
    for _ in range(100):  # the other end closes what it sent a moment after we have it
        if _open_descriptors() <= before + 1:
            break
        time.sleep(0.01)
    assert _open_descriptors() <= before + 1


def test_descriptors_that_come_with_an_answer_to_no_such_question_are_closed(
    link: Link, peer: Peer, tmp_path: Path
) -> None:
    answered = threading.Semaphore(0)
    link.call("warm", blob=b"x")
    before = _open_descriptors()
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        link.call_async("fd", {}, lambda _: answered.release(), fds=[fd] * 8, blob=b"x")
    for _ in range(20):
        assert answered.acquire(timeout=20)
    os.close(fd)
    for _ in range(100):
        if _open_descriptors() <= before + 1:
            break
        time.sleep(0.01)
    assert _open_descriptors() <= before + 1


def test_an_answer_that_races_the_callers_patience_is_taken_or_closed(tmp_path: Path) -> None:
    asked: list[Request] = []
    ours, theirs = socket.socketpair()
    link = Link(ours, lambda _: None).start()
    other = Link(theirs, asked.append).start()
    before = _open_descriptors()
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(200):
        asked.clear()

        def answer() -> None:
            while not asked:
                time.sleep(0)
            asked[0].answer(Message(fds=[os.dup(fd)]))

        late = threading.Thread(target=answer)
        late.start()
        with contextlib.suppress(TroubleError):
            link.call("segment", takes_fds=True, timeout_s=0.0005).close()
        late.join()
    os.close(fd)
    other.close()
    link.close()
    assert _open_descriptors() <= before - 2


def test_a_link_that_is_closed_before_it_starts_to_listen_ends_then() -> None:
    ours, theirs = socket.socketpair()
    ended = threading.Event()
    link = Link(ours, lambda _: None, on_close=ended.set)
    link.close()
    link.start()
    assert ended.wait(20)
    assert link.closed
    theirs.close()


def test_a_tell_is_not_answered(tmp_path: Path) -> None:
    heard = threading.Event()

    def on_request(request: Request) -> None:
        request.answer(Message({"never": "sent"}))
        heard.set()

    links: list[Link] = []
    server = Server(tmp_path / "s.sock", lambda sock: links.append(Link(sock, on_request).start()))
    errors: list[DoorbellError] = []
    link = Link.connect(tmp_path / "s.sock")
    link.tell("news", {"a": 1})
    assert heard.wait(20)
    assert not errors
    assert not link.closed
    link.close()
    for served in links:
        served.close()
    server.close()


def test_a_reason_that_a_peer_gives_moves_no_cursor_and_fills_no_log() -> None:
    ours, theirs = socket.socketpair()
    link = Link(ours, lambda _: None).start()
    answers: list[Message | DoorbellError] = []
    link.call_async("upload", {}, answers.append)
    raw = b'{"re":1,"error":"C\\u001b[2J","why":"no\\n' + b"x" * 10_000 + b'","kind":"refused"}'
    theirs.sendall(len(raw).to_bytes(4, "big") + raw)
    theirs.close()
    link.close()
    (refused,) = answers
    assert isinstance(refused, RefusedError)
    assert (refused.code, str(refused)[:4], len(str(refused))) == ("C?[2J", "no?x", MAX_WHY)


def test_an_answer_that_cannot_be_read_still_ends_the_wait(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    link = Link(ours, lambda _: None).start()
    answers: list[Message | DoorbellError] = []
    link.call_async("upload", {}, answers.append)
    raw = b'{"re":1,"args":{},"blob":true,"big":false,"fds":0}'  # a blob without its descriptor
    theirs.sendall(len(raw).to_bytes(4, "big") + raw)
    link.close()
    assert [type(answer) for answer in answers] == [TroubleError]
    theirs.close()


def test_an_answer_that_is_late_has_another_code_than_a_peer_that_is_gone(tmp_path: Path) -> None:
    silent = Server(tmp_path / "s.sock", lambda sock: kept.append(Link(sock, asked.append).start()))
    kept: list[Link] = []
    asked: list[Request] = []
    link = Link.connect(tmp_path / "s.sock")
    with pytest.raises(TroubleError) as late:
        link.call("fetch", timeout_s=0.1)
    link.close()
    with pytest.raises(TroubleError) as gone:
        link.call("fetch", timeout_s=0.1)
    assert (late.value.code, gone.value.code) == ("late", "link")
    for one in kept:
        one.close()
    silent.close()
