"""Messages from the broker, byte by byte: acknowledged first, bounded, never one in return; what rubbish does."""

import os
import random
import threading
import time

import pytest

from agent.uplink.inbox import Arrived
from agent.uplink.mqtt import Broker
from tests.fakes.uplink_broker import CONNACK_OK, DISCONNECT, PUBACK, SUBSCRIBE, Peer, publish, varint
from tests.uplink.broker_device import REQ, Start


def test_puback_goes_out_before_the_bytes_go_on(start: Start) -> None:
    """The broker sends a message and does not read: the device can't write its PUBACK, so nothing goes on."""
    acknowledged = threading.Event()

    def talk(peer: Peer) -> None:
        peer.accept()
        peer.grant()
        peer.publish(REQ, b"body", mid=7)
        packet = peer.expect(PUBACK)
        assert packet.body[:2] == b"\0\7"
        acknowledged.set()
        peer.packet()

    device = start(talk)
    assert device.take() == Arrived("req", b"body")
    assert acknowledged.wait(20)


def test_a_slow_vault_does_not_delay_an_acknowledgement(start: Start) -> None:
    acks: list[float] = []

    def talk(peer: Peer) -> None:
        peer.accept()
        peer.grant()
        for mid in range(1, 101):
            peer.publish(REQ, b"x", mid=mid)
            peer.expect(PUBACK)
        acks.append(time.monotonic())
        peer.packet()

    device = start(talk)
    device.until("up")
    deadline = time.monotonic() + 20
    while not acks and time.monotonic() < deadline:
        time.sleep(0.01)
    assert acks, "nobody took anything out of the inbox, and all the same everything was acknowledged"


def test_the_kind_comes_from_the_topic_and_other_topics_are_nothing(start: Start) -> None:
    def talk(peer: Peer) -> None:
        peer.accept()
        peer.grant()
        for mid, topic in enumerate(
            ["db/1/other/9q8y/x", "db/2/req/9q8y/x", "$SYS/x", "db/1/req/9q8y", "db/1/req/9q8y/x/y"], 1
        ):
            peer.publish(topic, b"no", mid=mid)
        peer.publish(REQ, b"", mid=10)
        peer.publish("db/1/req/9q8y/a", b"1", mid=11)
        peer.publish("db/1/can/9q8/b", b"2", mid=12)
        peer.publish("db/1/alert/9q8y/c", b"3", mid=13, qos=0)
        peer.packet()
        while True:
            peer.packet()

    device = start(talk)
    assert [device.take() for _ in range(3)] == [
        Arrived("req", b"1"),
        Arrived("can", b"2"),
        Arrived("alert", b"3"),
    ]


def test_it_never_publishes(start: Start) -> None:
    kinds: set[int] = set()

    def talk(peer: Peer) -> None:
        peer.accept()
        peer.grant()
        for mid in range(1, 20):
            peer.publish(REQ, b"x" * 100, mid=mid)
        try:
            while True:
                kinds.add(peer.packet().kind)
        except OSError:
            kinds.update(packet.kind for packet in peer.read)

    device = start(talk)
    for _ in range(19):
        device.take()
    device.broker.stop()
    time.sleep(0.1)
    assert kinds == {1, SUBSCRIBE, PUBACK, DISCONNECT}
    assert not [name for name in dir(Broker) if "publish" in name]


def test_a_packet_larger_than_asked_for_ends_the_connection(start: Start) -> None:
    def talk(peer: Peer) -> None:
        peer.accept()
        peer.grant()
        peer.sock.sendall(bytes([0x32]) + varint(200_000_000) + bytes(100_000))
        peer.packet()

    why = start(talk).until("down")
    assert why == "the broker sends more than was asked for"


def test_qos_2_ends_the_connection(start: Start) -> None:
    def talk(peer: Peer) -> None:
        peer.accept()
        peer.grant()
        peer.publish(REQ, b"x", qos=2)
        peer.packet()
        peer.packet()

    assert "QoS 2" in start(talk).until("down")


def _rubbish(seed: int) -> bytes:
    """Bytes that look more or less like packets of MQTT 5."""
    draw = random.Random(seed)
    kind = draw.choice([0x20, 0x30, 0x32, 0x34, 0x36, 0x3D, 0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0, 0xE0, 0xF0])
    body = draw.randbytes(draw.randrange(0, 60))
    if draw.random() < 0.5:
        good = publish(REQ, b"x" * draw.randrange(50))
        changed = bytearray(good[2:])
        for _ in range(draw.randrange(1, 6)):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        body = bytes(changed)
    length = varint(len(body)) if draw.random() < 0.8 else draw.randbytes(4)
    return bytes([kind]) + length + body


@pytest.mark.parametrize("stage", ["instead of CONNACK", "after CONNACK", "after SUBACK"])
def test_rubbish_ends_a_connection_and_never_the_thread(start: Start, stage: str) -> None:
    """Whatever a broker sends, the device reconnects; a good message afterwards still arrives."""
    rounds = 120
    count = iter(range(10_000))

    def talk(peer: Peer) -> None:
        number = next(count)
        peer.packet()
        if number >= rounds:
            peer.sock.sendall(CONNACK_OK)
            peer.grant()
            peer.publish(REQ, b"good at last")
            peer.packet()
            peer.packet()
            return
        if stage != "instead of CONNACK":
            peer.sock.sendall(CONNACK_OK)
        if stage == "after SUBACK":
            peer.grant()
        peer.sock.sendall(_rubbish(number) + _rubbish(number + 50_000))

    device = start(talk)
    device.broker._delay_s = lambda _: 0.0
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        arrived = device.take()
        if arrived == Arrived("req", b"good at last"):
            break
    assert device.broker._thread.is_alive()
    assert len(os.listdir("/proc/self/fd")) < 200  # noqa: PTH208 - counted before the folder is closed
