"""A network camera: RTSP 1.0 over TCP with interleaved RTP (RFC 2326, RFC 6184), for one viewer at a time.

It can be told to stop sending, to hang up, to ask for a password, and to start its time stamps anew.
"""

import base64
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from agent.capture import h264

MOST_PAYLOAD_BYTES = 1400
CLOCK_HZ = 90_000


@dataclass(frozen=True)
class Film:
    """What the camera sends, over and over: Annex B access units without parameter sets, and those."""

    units: Sequence[bytes]
    sets: bytes
    fps: int


@dataclass
class FakeNetworkCamera:
    """Serves `film` on a free loopback port; a context manager."""

    film: Film
    password: str | None = None
    sending: threading.Event = field(default_factory=threading.Event)
    viewers: int = 0

    def __enter__(self) -> Self:
        self.sending.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stop = threading.Event()
        self._viewer: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.hang_up()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/door"

    def hang_up(self) -> None:
        viewer = self._viewer
        if viewer is not None:
            with suppress(OSError):
                viewer.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                viewer, _ = self._listener.accept()
            except OSError:
                return
            self._viewer = viewer
            with viewer, suppress(OSError):
                if self._talk(viewer):
                    self.viewers += 1
                    self._play(viewer)
            self._viewer = None

    def _talk(self, viewer: socket.socket) -> bool:
        """Answer until PLAY; say whether it came."""
        file = viewer.makefile("rb")
        while True:
            head = [line.decode().strip() for line in iter(file.readline, b"\r\n") if line]
            if not head:
                return False
            verb = head[0].split()[0]
            number = next(line.split(":")[1].strip() for line in head if line.lower().startswith("cseq"))
            refused = self.password is not None and not self._has_password(head)
            extra, body = self._answer(verb)
            if refused:
                extra, body = ['WWW-Authenticate: Basic realm="door"'], ""
            status = "401 Unauthorized" if refused else "200 OK"
            lines = [f"RTSP/1.0 {status}", f"CSeq: {number}", *extra, f"Content-Length: {len(body)}", "", body]
            viewer.sendall("\r\n".join(lines).encode())
            if verb == "PLAY" and not refused:
                return True

    def _has_password(self, head: list[str]) -> bool:
        word = base64.b64encode(f"owner:{self.password}".encode()).decode()
        return f"Authorization: Basic {word}" in head

    def _answer(self, verb: str) -> tuple[list[str], str]:
        match verb:
            case "OPTIONS":
                return ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"], ""
            case "DESCRIBE":
                return ["Content-Type: application/sdp"], self._sdp()
            case "SETUP":
                return ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1"], ""
            case _:
                return ["Session: 1"], ""

    def _sdp(self) -> str:
        sets = ",".join(base64.b64encode(nal).decode() for nal in nals(self.film.sets))
        lines = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=door", "c=IN IP4 127.0.0.1", "t=0 0"]
        lines += ["m=video 0 RTP/AVP 96", f"a=rtpmap:96 H264/{CLOCK_HZ}", "a=control:track1"]
        lines += [
            f"a=framerate:{self.film.fps}",
            f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}",
            "",
        ]
        return "\r\n".join(lines)

    def _play(self, viewer: socket.socket) -> None:
        began, number, sequence = time.monotonic(), 0, 0
        while not self._stop.is_set():
            unit = self.film.units[number % len(self.film.units)]
            stamp = number * CLOCK_HZ // self.film.fps
            for payload, last in payloads(unit):
                head = struct.pack(">BBHII", 0x80, 96 | last << 7, sequence & 0xFFFF, stamp & 0xFFFFFFFF, 7)
                viewer.sendall(struct.pack(">cBH", b"$", 0, len(head) + len(payload)) + head + payload)
                sequence += 1
            number += 1
            self._stop.wait(max(began + number / self.film.fps - time.monotonic(), 0))
            while not self.sending.wait(0.05):
                if self._stop.is_set():
                    return


def nals(unit: bytes) -> list[bytes]:
    """Split Annex B into NAL units, without start codes."""
    pieces = unit.replace(h264.START_CODE, h264.START_CODE[1:]).split(h264.START_CODE[1:])
    return [piece for piece in pieces if piece]


def payloads(unit: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield RTP payloads and whether each is the access unit's last: single NAL units and FU-A."""
    units = nals(unit)
    for index, nal in enumerate(units):
        is_last = index == len(units) - 1
        if len(nal) <= MOST_PAYLOAD_BYTES:
            yield nal, is_last
            continue
        body = nal[1:]
        for at in range(0, len(body), MOST_PAYLOAD_BYTES):
            piece = body[at : at + MOST_PAYLOAD_BYTES]
            ends = at + MOST_PAYLOAD_BYTES >= len(body)
            flags = (at == 0) << 7 | ends << 6 | nal[0] & 0x1F
            yield bytes([nal[0] & 0xE0 | 28, flags]) + piece, is_last and ends
