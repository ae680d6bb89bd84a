"""A broker that is spoken to byte by byte, to see exactly what a device sends and what it makes of rubbish."""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
UNSUBSCRIBE, UNSUBACK, PINGREQ, DISCONNECT = 10, 11, 12, 14
CONNACK_OK = bytes([0x20, 3, 0, 0, 0])


@dataclass
class Packet:
    """One control packet: its type, flags and everything after the length."""

    kind: int
    flags: int
    body: bytes


@dataclass
class Connect:
    """The fields of a CONNECT packet."""

    protocol: bytes
    version: int
    flags: int
    keep_alive: int
    properties: dict[int, int]
    client_id: str
    rest: bytes


@dataclass
class Peer:
    """The broker's end of one connection."""

    sock: socket.socket
    read: list[Packet] = field(default_factory=list)

    def packet(self) -> Packet:
        head = self._exactly(1)[0]
        length, shift = 0, 0
        while True:
            byte = self._exactly(1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        packet = Packet(head >> 4, head & 15, self._exactly(length))
        self.read.append(packet)
        return packet

    def expect(self, kind: int) -> Packet:
        packet = self.packet()
        if packet.kind == DISCONNECT and kind != DISCONNECT:
            raise ConnectionError("the device was stopped")
        assert packet.kind == kind, f"packet {packet.kind} came instead of {kind}"
        return packet

    def accept(self) -> Connect:
        """CONNECT, CONNACK."""
        connect = parse_connect(self.expect(CONNECT).body)
        self.sock.sendall(CONNACK_OK)
        return connect

    def grant(self) -> Packet:
        """SUBSCRIBE, SUBACK with QoS 1 for each topic."""
        subscribe = self.expect(SUBSCRIBE)
        self.suback(subscribe, [1] * len(topics_of(subscribe)))
        return subscribe

    def suback(self, subscribe: Packet, codes: list[int]) -> None:
        body = subscribe.body[:2] + b"\0" + bytes(codes)
        self.sock.sendall(bytes([0x90, len(body)]) + body)

    def publish(self, topic: str, body: bytes, *, mid: int = 1, qos: int = 1) -> None:
        self.sock.sendall(publish(topic, body, mid=mid, qos=qos))

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.sock.recv(count - len(data))
            if not part:
                raise ConnectionError("the device hung up")
            data += part
        return data


def publish(topic: str, body: bytes, *, mid: int = 1, qos: int = 1) -> bytes:
    """The bytes of a PUBLISH."""
    name = topic.encode()
    content = len(name).to_bytes(2, "big") + name + (mid.to_bytes(2, "big") if qos else b"") + b"\0" + body
    return bytes([0x30 | qos << 1]) + varint(len(content)) + content


def varint(number: int) -> bytes:
    """MQTT's variable byte integer."""
    out = bytearray()
    while True:
        number, low = number >> 7, number & 127
        out.append(low | (128 if number else 0))
        if not number:
            return bytes(out)


def parse_connect(body: bytes) -> Connect:
    """Read a CONNECT; the properties that the protocol uses are all known here."""
    sizes = {0x11: 4, 0x21: 2, 0x27: 4, 0x22: 2, 0x19: 1, 0x17: 1}
    assert body[:2] == b"\0\4"
    length, at, properties = body[10], 11, dict[int, int]()
    while at < 11 + length:
        size = sizes[body[at]]
        properties[body[at]] = int.from_bytes(body[at + 1 : at + 1 + size], "big")
        at += 1 + size
    id_length = int.from_bytes(body[at : at + 2], "big")
    client_id = body[at + 2 : at + 2 + id_length].decode()
    keep_alive = int.from_bytes(body[8:10], "big")
    return Connect(body[2:6], body[6], body[7], keep_alive, properties, client_id, body[at + 2 + id_length :])


def topics_of(subscribe: Packet) -> list[tuple[str, int]]:
    """Topics and options of a SUBSCRIBE."""
    at, found = 3 + subscribe.body[2], list[tuple[str, int]]()
    while at < len(subscribe.body):
        length = int.from_bytes(subscribe.body[at : at + 2], "big")
        found.append((subscribe.body[at + 2 : at + 2 + length].decode(), subscribe.body[at + 2 + length]))
        at += 3 + length
    return found


class FakeBroker:
    """Listens on a free loopback port and lets `talk` have each connection, one after the other."""

    def __init__(self, talk: Callable[[Peer], None]) -> None:
        self._talk = talk
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.failures: list[BaseException] = []
        self.connections = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            sock.settimeout(10)
            with sock:
                try:
                    self._talk(Peer(sock))
                except OSError:
                    continue
                except AssertionError as failure:
                    self.failures.append(failure)

    def stop(self) -> None:
        """Stop, and fail if what was said was not what was expected."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
        assert not self.failures, self.failures
