"""The socket layer between the four processes.

One unix stream socket for each peer. A frame is a 4-byte big-endian length and a JSON object of at most 64 kB;
what is larger travels beside it as a sealed memfd, and files travel as descriptors (SCM_RIGHTS, attached to the
frame's first byte). Both ends may call. A call is answered once; a tell is not answered.

    {"id": n, "verb": v, "args": {…}, "blob": bool, "big": bool, "fds": k}     id 0: a tell
    {"re": n, "args": {…}, "blob": bool, "big": bool, "fds": k}
    {"re": n, "error": code, "why": text, "kind": "refused" | "trouble"}

Rules of this room: the peer may be taken over. Every size is bounded, a frame that is not of this form ends the
link, a memfd that could still change is refused, descriptors that nobody asked for are closed.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent.core.errors import BugError, DoorbellError, RefusedError, TroubleError
from agent.core.strict_json import Json, dump, parse
from agent.services.memfd import MAX_BLOB_BYTES, memfd, read_memfd
from agent.services.outbox import Outbox
from agent.services.reasons import MAX_WHY, bug_met, shown
from agent.services.workers import Workers

MAX_FRAME_BYTES: Final = 65_536
MAX_FDS: Final = 16
MAX_WAITING_CALLS: Final = 256
CLOSE_TIMEOUT_S: Final = 5.0

Args = dict[str, Json]


@dataclass(slots=True)
class Message:
    """What a call carries, either way. Who receives one owns its descriptors."""

    args: Args = field(default_factory=dict)
    blob: bytes | None = None
    fds: list[int] = field(default_factory=list)

    def close(self) -> None:
        """Close the descriptors that are still here."""
        while self.fds:
            os.close(self.fds.pop())

    def take_fd(self) -> int:
        """Hand over the one descriptor.

        Raises:
            RefusedError: frame, when there is not exactly one.
        """
        if len(self.fds) != 1:
            self.close()
            raise RefusedError("frame", "exactly one descriptor was expected")
        return self.fds.pop()


class Request:
    """One call (or tell) of the peer, to be answered once."""

    def __init__(self, link: "Link", number: int, verb: str, message: Message) -> None:
        self._link = link
        self._number = number
        self.verb = verb
        self.message = message

    def answer(self, message: Message | None = None) -> None:
        """Answer; the descriptors in `message` are sent and then closed here. After a tell nothing is sent.

        Never raises for a peer that has gone: what it asked for is done all the same, and nobody waits any more.
        """
        self.message.close()
        reply = message or Message()
        try:
            if self._number:
                self._link.send({"re": self._number}, reply)
        except TroubleError as trouble:  # no memory for a large answer is said; a peer that is gone hears nothing
            self.refuse(trouble)
        finally:
            reply.close()

    def refuse(self, error: DoorbellError | BugError) -> None:
        """Answer with an error; never raises for a peer that has gone."""
        self.message.close()
        if self._number:
            kind = "refused" if isinstance(error, RefusedError) else "trouble"
            code = error.code if isinstance(error, RefusedError | TroubleError) else "bug"
            head: Args = {"re": self._number, "error": code, "why": str(error)[:MAX_WHY], "kind": kind}
            with contextlib.suppress(TroubleError):
                self._link.send(head, Message())


OnRequest = Callable[[Request], None]
OnReply = Callable[[Message | DoorbellError], None]


class _Waiting:
    """A blocked caller."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._reply: Message | DoorbellError | None = None

    def set(self, reply: Message | DoorbellError) -> None:
        self._reply = reply
        self._event.set()

    def wait(self, timeout_s: float) -> Message | DoorbellError:
        if not self._event.wait(timeout_s) or self._reply is None:
            return TroubleError("late", "the other process did not answer in time")
        return self._reply


class Link:
    """One connection, either end. Safe to use from several threads; a reader thread of its own does the listening.

    Args:
        sock: a connected unix stream socket; the link owns it.
        on_request: called in the reader thread for each call of the peer; must not block.
        on_close: called once when the link has ended.
        name: names the reader thread.
    """

    def __init__(
        self,
        sock: socket.socket,
        on_request: OnRequest,
        *,
        on_close: Callable[[], None] = lambda: None,
        name: str = "link",
    ) -> None:
        self._sock = sock
        self._on_request = on_request
        self._on_close = on_close
        self._outbox = Outbox(sock, f"{name}-sender")
        self._lock = threading.Lock()
        self._number = 0
        self._calls: dict[int, OnReply] = {}
        self._closed = False
        self._reader = threading.Thread(target=self._read_all, name=f"{name}-reader", daemon=True)

    def start(self) -> "Link":
        """Start to listen; returns itself."""
        self._reader.start()
        return self

    @classmethod
    def connect(
        cls,
        path: Path,
        on_call: Callable[[str, Message], Message] | None = None,
        *,
        on_close: Callable[[], None] = lambda: None,
        workers: int = 4,
    ) -> "Link":
        """Connect to a socket; the peer's calls run `on_call` on `workers` threads.

        Raises:
            TroubleError: link, when nobody listens there.
        """
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(str(path))
        except OSError as exc:
            sock.close()
            raise TroubleError("link", f"the vault does not answer at {path}: is the doorbell running?") from exc
        pool = Workers(workers, "call")

        def on_request(request: Request) -> None:
            if on_call is None:
                request.refuse(RefusedError("verb", "this end takes no calls"))
            else:
                pool.submit(lambda: run_handler(request, on_call))

        def closed() -> None:
            pool.close()
            on_close()

        return cls(sock, on_request, on_close=closed, name=path.stem).start()

    @property
    def closed(self) -> bool:
        """Whether the link has ended."""
        return self._closed

    def call(
        self,
        verb: str,
        args: Args | None = None,
        *,
        blob: bytes | None = None,
        fds: Sequence[int] = (),
        takes_fds: bool = False,
        timeout_s: float = 10.0,
    ) -> Message:
        """Call the peer and wait for its answer; `fds` stay the caller's, `takes_fds` as in `call_async`.

        Raises:
            RefusedError: with the code that the peer refused with.
            TroubleError: link, when the peer is gone; late, when it is too slow; else the peer's fault code.
        """
        waiting = _Waiting()
        number = self.call_async(verb, args, waiting.set, blob=blob, fds=fds, takes_fds=takes_fds)
        reply = waiting.wait(timeout_s)
        with self._lock:
            is_answered = self._calls.pop(number, None) is None
        if is_answered:  # the reader hands the answer over right now, if it has not: it is not lost
            reply = waiting.wait(CLOSE_TIMEOUT_S)
        if isinstance(reply, DoorbellError):
            raise reply
        return reply

    def call_async(
        self,
        verb: str,
        args: Args | None,
        on_reply: OnReply,
        *,
        blob: bytes | None = None,
        fds: Sequence[int] = (),
        takes_fds: bool = False,
    ) -> int:
        """Call the peer; `on_reply` runs in the reader thread, exactly once unless the caller stops waiting.

        Descriptors in the answer are closed unless `takes_fds` says that `on_reply` takes them.

        Raises:
            TroubleError: link, when the peer is gone or too many calls wait.
        """
        with self._lock:
            if self._closed or len(self._calls) >= MAX_WAITING_CALLS:
                raise TroubleError("link", "the other process is not there")
            self._number += 1
            number = self._number
            self._calls[number] = on_reply if takes_fds else _without_fds(on_reply)
        try:
            self.send({"id": number, "verb": verb}, Message(args or {}, blob, list(fds)))
        except TroubleError:
            with self._lock:
                self._calls.pop(number, None)
            raise
        return number

    def tell(
        self, verb: str, args: Args | None = None, *, blob: bytes | None = None, fds: Sequence[int] = ()
    ) -> None:
        """Tell the peer something, without an answer.

        Raises:
            TroubleError: link, when the peer is gone.
        """
        self.send({"id": 0, "verb": verb}, Message(args or {}, blob, list(fds)))

    def send(self, head: Args, message: Message) -> None:
        """Send one frame, without waiting for a peer that reads slowly. The descriptors stay the caller's.

        Raises:
            TroubleError: link, when the peer is gone or has not read for too long.
        """
        own: list[int] = []
        try:
            frame = {**head, "args": message.args, "blob": message.blob is not None, "big": False}
            raw = dump({**frame, "fds": len(message.fds)})
            if message.blob is not None:
                own.append(memfd(message.blob))
            if len(raw) > MAX_FRAME_BYTES:
                own.insert(0, memfd(dump(message.args)))
                raw = dump({**frame, "args": {}, "big": True, "fds": len(message.fds)})
            self._outbox.send(len(raw).to_bytes(4, "big") + raw, [*own, *message.fds])
        except OSError as exc:
            raise TroubleError("link", "the other process is gone") from exc
        finally:
            for fd in own:
                os.close(fd)

    def close(self) -> None:
        """End the link and wait for its reader; one that has not started yet finds it ended."""
        self._outbox.close()
        if self._reader.is_alive() and threading.current_thread() is not self._reader:
            self._reader.join(timeout=CLOSE_TIMEOUT_S)

    def _read_all(self) -> None:
        try:
            while True:
                self._read_frame()
        except (OSError, EOFError, DoorbellError, RuntimeError):
            pass  # the peer is gone, sent no frame, or nobody could take its call: all the same here
        with self._lock:
            self._closed = True
            calls, self._calls = list(self._calls.values()), {}
        self._outbox.close()
        self._sock.close()
        for on_reply in calls:
            on_reply(TroubleError("link", "the other process is gone"))
        self._on_close()

    def _read_exactly(self, count: int) -> bytes:
        buffer = bytearray(count)
        view = memoryview(buffer)
        while view:
            got = self._sock.recv_into(view)
            if got == 0:
                raise EOFError
            view = view[got:]
        return bytes(buffer)

    def _read_frame(self) -> None:
        head, fds, _, _ = socket.recv_fds(self._sock, 4, MAX_FDS, socket.MSG_CMSG_CLOEXEC)
        try:
            if not head:
                raise EOFError
            head += self._read_exactly(4 - len(head))
            size = int.from_bytes(head, "big")
            if size > MAX_FRAME_BYTES:
                raise RefusedError("frame", "too long")
            frame = parse(self._read_exactly(size), max_bytes=MAX_FRAME_BYTES)
            self._dispatch(frame, fds)
        finally:
            for fd in fds:  # what was taken is no longer in the list
                os.close(fd)

    def _dispatch(self, frame: Json, fds: list[int]) -> None:
        if not isinstance(frame, dict):
            raise RefusedError("frame", "no object")
        answered = frame.get("re", 0)
        if type(answered) is not int:
            raise RefusedError("frame", "an answer to no call")
        with self._lock:
            on_reply = self._calls.pop(answered, None) if "re" in frame else None
        if "re" in frame and "error" in frame:
            if on_reply is not None:
                code, why = shown(frame["error"]), shown(frame.get("why", ""))
                refused = frame.get("kind") == "refused"
                on_reply(RefusedError(code, why) if refused else TroubleError(code, why))
            return
        try:
            message = _unpack(frame, fds)
        except RefusedError:
            if on_reply is not None:  # it was taken off the list of those that the link's end tells
                on_reply(TroubleError("link", "the other process sent no answer"))
            raise
        if "re" in frame:
            if on_reply is None:
                message.close()  # the caller has stopped waiting
            else:
                on_reply(message)
            return
        number, verb = frame.get("id"), frame.get("verb")
        if type(number) is not int or not isinstance(verb, str):
            message.close()
            raise RefusedError("frame", "no call")
        self._on_request(Request(self, number, verb, message))


def _without_fds(on_reply: OnReply) -> OnReply:
    """Close what comes with an answer that was to be words only: whoever answers may be taken over."""

    def taken(reply: Message | DoorbellError) -> None:
        if isinstance(reply, Message):
            reply.close()
        on_reply(reply)

    return taken


def _unpack(frame: Args, fds: list[int]) -> Message:
    """Take the descriptors of a frame out of `fds`, in the order in which `send` put them."""
    args, count = frame.get("args"), frame.get("fds")
    expected = bool(frame.get("big")) + bool(frame.get("blob")) + (count if type(count) is int else -MAX_FDS)
    if len(fds) != expected:
        raise RefusedError("frame", "the descriptors do not fit")
    if frame.get("big"):
        args = parse(read_memfd(fds.pop(0)), max_bytes=MAX_BLOB_BYTES)
    blob = read_memfd(fds.pop(0)) if frame.get("blob") else None
    if not isinstance(args, dict):
        raise RefusedError("frame", "args is no object")
    taken = list(fds)
    fds.clear()
    return Message(args, blob, taken)


def run_handler(request: Request, handler: Callable[[str, Message], Message]) -> None:
    """Answer one request with what `handler` returns or raises."""
    try:
        reply = handler(request.verb, request.message)
    except DoorbellError as error:
        request.refuse(error)
    except Exception as bug:  # noqa: BLE001 - a pool keeps it to itself, and who asked would wait for ever
        request.refuse(bug_met(f"the verb {request.verb[:40]!r}", bug))
    else:
        request.answer(reply)
