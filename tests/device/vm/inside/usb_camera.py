"""A USB webcam in software, for the kernel's own USB and UVC drivers: it speaks USB/IP to the kernel's vhci-hcd.

The device side of the USB Video Class 1.1 with one bulk endpoint and two formats, MJPEG and H.264, as webcams have
them. Descriptors: USB Video Class 1.1, sections 3 and 4; packets: Documentation/usb/usbip_protocol.rst.
"""

import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

VHCI = Path("/sys/devices/platform/vhci_hcd.0")
SIZE, FPS = (320, 180), 10
MJPEG, H264 = 1, 2  # format indexes
_HIGH_SPEED = 3
_PAYLOAD = 16_384  # what one transfer carries: 32 packets, the most that uvcvideo asks for at once
_INTERVAL = 10_000_000 // FPS  # in units of 100 ns
_PATIENCE_S = 15.0
_STALL = -32
_H264_GUID = b"H264" + bytes.fromhex("0000 1000 8000 00aa00389b71")
_GETS = {0x81, 0x82, 0x83, 0x87}  # GET_CUR, _MIN, _MAX, _DEF
_DEVICE = struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x200, 0xEF, 2, 1, 64, 0x1D6B, 0x0102, 0x100, 0, 0, 0, 1)


def _part(kind: int, layout: str, *values: int | bytes) -> bytes:
    """A descriptor: its length, its kind, its values."""
    rest = struct.pack("<" + layout, *values)
    return bytes([len(rest) + 2, kind]) + rest


def _streaming() -> bytes:
    width, height = SIZE
    bits, most = width * height * 16 * FPS, width * height * 2
    formats = (
        _part(0x24, "BBBBBBBBB", 0x06, MJPEG, 1, 1, 1, 0, 0, 0, 0)
        + _part(0x24, "BBBHHIIIIBI", 0x07, 1, 0, width, height, bits, bits, most, _INTERVAL, 1, _INTERVAL)
        + _part(0x24, "BBB16sBBBBBBB", 0x10, H264, 1, _H264_GUID, 16, 1, 0, 0, 0, 0, 1)
        + _part(0x24, "BBBHHIIIBII", 0x11, 1, 0, width, height, bits, bits, _INTERVAL, 1, 0, _INTERVAL)
    )
    header = _part(0x24, "BBHBBBBBBBBB", 1, 2, 15 + len(formats), 0x81, 0, 2, 0, 0, 0, 1, 0, 0)
    return header + formats


def _configuration() -> bytes:
    units = _part(0x24, "BBHBBHHHB3s", 2, 1, 0x201, 0, 0, 0, 0, 0, 3, bytes(3))
    units += _part(0x24, "BBHBBB", 3, 2, 0x101, 0, 1, 0)
    rest = (
        _part(0x0B, "BBBBBB", 0, 2, 0x0E, 3, 0, 0)
        + _part(0x04, "BBBBBBB", 0, 0, 0, 0x0E, 1, 0, 0)
        + _part(0x24, "BHHIBB", 1, 0x110, 13 + len(units), 48_000_000, 1, 1)
        + units
        + _part(0x04, "BBBBBBB", 1, 0, 1, 0x0E, 2, 0, 0)
        + _streaming()
        + _part(0x05, "BBHB", 0x81, 2, 512, 0)
    )
    return struct.pack("<BBHBBBBB", 9, 2, 9 + len(rest), 2, 1, 0, 0x80, 50) + rest


def nodes() -> list[str]:
    """The devices that the camera has: its pictures, then its metadata; none while it is unplugged."""
    numbers = [int(path.name.removeprefix("video")) for path in VHCI.glob("usb*/**/video4linux/video*")]
    return [f"/dev/video{number}" for number in sorted(numbers)]


def _attach(descriptor: int) -> bool:
    try:
        (VHCI / "attach").write_text(f"0 {descriptor} 1 {_HIGH_SPEED}")
    except OSError:  # the port is not free yet
        return False
    return True


def _soon(is_true: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not is_true():
        assert time.monotonic() < until
        time.sleep(0.05)


class UsbCamera:
    """Plugged in from construction to `unplug`; plays its films in a loop, a picture every tenth of a second.

    Attributes:
        frozen: while set, the device answers but gives no pictures.

    Args:
        films: for each format, its encoded pictures.
    """

    def __init__(self, films: Mapping[int, Sequence[bytes]]) -> None:
        self._films = films
        self.frozen = threading.Event()
        self._format = MJPEG
        self._number, self._flip = 0, 0
        self._waiting: deque[int] = deque()
        self._ours, theirs = socket.socketpair()
        with theirs:  # the kernel holds it from now on
            _soon(lambda: _attach(theirs.fileno()))
        self._thread = threading.Thread(target=self._serve, name="usb camera")
        self._thread.start()
        _soon(lambda: len(nodes()) == 2)

    def unplug(self) -> None:
        """Pull the plug."""
        self._ours.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._ours.close()
        _soon(lambda: not nodes())

    def _serve(self) -> None:
        chunks: deque[bytes] = deque()
        due = time.monotonic()
        while True:
            readable, _, _ = select.select([self._ours], [], [], max(0.0, min(due - time.monotonic(), 0.1)))
            if readable and not self._take():
                return
            if time.monotonic() >= due:
                due = time.monotonic() + 1 / FPS
                if self._waiting and not chunks and not self.frozen.is_set():
                    chunks += self._next_picture()
            while chunks and self._waiting:
                self._answer(self._waiting.popleft(), data=chunks.popleft())

    def _next_picture(self) -> list[bytes]:
        film = self._films[self._format]
        picture = film[self._number % len(film)]
        self._number, self._flip = self._number + 1, self._flip ^ 1
        step = _PAYLOAD - 2
        parts = [picture[at : at + step] for at in range(0, len(picture), step)]
        last = len(parts) - 1
        return [bytes([2, 0x80 | self._flip | (2 if at == last else 0)]) + one for at, one in enumerate(parts)]

    def _take(self) -> bool:
        """Take one request of the kernel; False when it has let go."""
        head = self._receive(48)
        if head is None:
            return False
        command, number, _, is_in, endpoint = struct.unpack_from(">IIIII", head)
        if command == 2:  # unlink
            (other,) = struct.unpack_from(">I", head, 20)
            was_waiting = other in self._waiting
            if was_waiting:
                self._waiting.remove(other)
            self._ours.sendall(struct.pack(">IIIIIi24x", 4, number, 0, 0, 0, -104 if was_waiting else 0))
            return True
        (length,) = struct.unpack_from(">i", head, 24)
        data = (self._receive(length) if not is_in and length else b"") or b""
        if endpoint == 0:
            answer = self._control(head[40:48], data)
            self._answer(number, _STALL if answer is None else 0, (answer or b"")[:length], len(data))
        else:
            self._waiting.append(number)
        return True

    def _control(self, setup: bytes, data: bytes) -> bytes | None:
        """What a control request is answered; None is a stall."""
        kind, request, value, index, _ = struct.unpack("<BBHHH", setup)
        match kind, request:
            case 0x80, 6:
                return {1: _DEVICE, 2: _configuration()}.get(value >> 8)
            case 0x80 | 0x81 | 0x82, 0:
                return bytes(2)
            case 0x00 | 0x01 | 0x02, _:
                return b""
            case 0x21, 1 if index & 0xFF == 1:
                self._format = data[2]
                self._number = 0
                return b""
            case 0xA1, _ if index & 0xFF == 1 and request in _GETS:
                most = SIZE[0] * SIZE[1] * 2
                probe = struct.pack("<HBBIHHHHHII", 1, self._format, 1, _INTERVAL, 0, 0, 0, 0, 0, most, _PAYLOAD)
                return probe + struct.pack("<IBBBB", 48_000_000, 0, 0, 0, 0)
            case 0xA1, 0x85:
                return struct.pack("<H", 34)
            case 0xA1, 0x86 if index & 0xFF == 1:
                return b"\x03"
        return None

    def _answer(self, number: int, status: int = 0, data: bytes = b"", taken: int = 0) -> None:
        head = struct.pack(">IIIIIiiiii8x", 3, number, 0, 0, 0, status, len(data) or taken, 0, 0, 0)
        self._ours.sendall(head + data)

    def _receive(self, length: int) -> bytes | None:
        got = b""
        while len(got) < length:
            try:
                more = self._ours.recv(length - len(got))
            except OSError:
                return None
            if not more:
                return None
            got += more
        return got
