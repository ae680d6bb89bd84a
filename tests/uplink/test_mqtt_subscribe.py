"""Subscriptions, byte by byte: to what, when again, and what no broker grants."""

import queue
import threading
import time
from pathlib import Path

import pytest

from agent.core.errors import RefusedError
from agent.uplink.addresses import BrokerAddress
from agent.uplink.inbox import Arrived, Inbox
from agent.uplink.mqtt import Broker
from agent.uplink.mqtt_session import BrokerSettings
from tests.fakes.uplink_broker import PUBACK, SUBSCRIBE, Peer, topics_of
from tests.uplink.broker_device import CELL, CLIENT_ID, REQ, FakedDevice, Start


def test_subscribe_asks_for_qos_1_and_retained_messages(start: Start) -> None:
    seen: queue.Queue[list[tuple[str, int]]] = queue.Queue()  # "up" may come before the fake broker has noted it

    def talk(peer: Peer) -> None:
        peer.accept()
        seen.put(topics_of(peer.grant()))
        peer.packet()

    start(talk).until("up")
    assert seen.get(timeout=10) == [(topic, 1) for topic in CELL], "QoS 1, no options: Retain Handling 0"


def test_a_refused_subscription_is_refused(start: Start) -> None:
    def talk(peer: Peer) -> None:
        peer.accept()
        peer.suback(peer.expect(SUBSCRIBE), [1, 0x87, 1])
        peer.packet()

    device = start(talk)
    assert "does not allow this account to subscribe" in device.until("refused")
    assert not any(state == "up" for state, _ in device.states)


def test_subscribing_again_sends_a_new_subscribe(start: Start) -> None:
    again = threading.Event()

    def talk(peer: Peer) -> None:
        peer.accept()
        first = peer.grant()
        again.set()
        second = peer.grant()
        assert topics_of(first) == topics_of(second)
        peer.publish(REQ, b"second")
        peer.packet()
        peer.packet()

    device = start(talk)
    assert again.wait(20)
    device.broker.subscribe(CLIENT_ID, CELL)
    assert device.take() == Arrived("req", b"second")


def test_another_precision_leaves_the_old_topics(start: Start) -> None:
    done = threading.Event()

    def talk(peer: Peer) -> None:
        peer.accept()
        peer.grant()
        done.set()
        gone = peer.expect(10)
        assert b"db/1/req/9q8y/+" in gone.body
        peer.sock.sendall(bytes([0xB0, 6]) + gone.body[:2] + b"\0\0\0\0")
        assert [topic for topic, _ in topics_of(peer.grant())] == ["db/1/req/9q8/+"]
        peer.publish(REQ, b"coarse")
        peer.packet()
        peer.packet()

    device = start(talk)
    assert done.wait(20)
    device.broker.subscribe(CLIENT_ID, ["db/1/req/9q8/+"])
    assert device.take() == Arrived("req", b"coarse")


def test_an_overflow_subscribes_again_when_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.uplink.mqtt.TICK_S", 0.05)
    subscribed = threading.Semaphore(0)

    def talk(peer: Peer) -> None:
        peer.accept()
        peer.grant()
        subscribed.release()
        for mid in range(1, 11):
            peer.publish(REQ, str(mid).encode(), mid=mid)
            peer.expect(PUBACK)
        peer.grant()
        subscribed.release()
        peer.packet()

    device = FakedDevice(talk)
    device.inbox = Inbox(max_messages=4)
    device.broker._inbox = device.inbox
    device.broker.subscribe(CLIENT_ID, CELL)
    try:
        assert subscribed.acquire(timeout=20)
        deadline = time.monotonic() + 20
        while device.inbox.dropped < 6 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not subscribed.acquire(timeout=0.3), "not while the inbox is full"
        for _ in range(4):
            device.take()
        assert subscribed.acquire(timeout=20)
    finally:
        device.stop()


@pytest.mark.parametrize(
    ("client_id", "topics"),
    [
        ("", CELL),
        ("a b", CELL),
        ("x" * 65, CELL),
        (CLIENT_ID, []),
        (CLIENT_ID, ["#"]),
        (CLIENT_ID, ["db/1/#"]),
        (CLIENT_ID, ["db/1/req/+/+"]),
        (CLIENT_ID, ["db/1/req/9q8yy/+"]),
        (CLIENT_ID, ["db/1/req/9q8y/+", "$SYS/#"]),
        (CLIENT_ID, [*CELL, *CELL, CELL[0]]),
    ],
)
def test_only_the_protocols_topics_can_be_subscribed_to(client_id: str, topics: list[str]) -> None:
    settings = BrokerSettings(BrokerAddress("127.0.0.1", 1, tls=False), Path("/x"))
    broker = Broker(settings, Inbox(), lambda _state, _why: None)
    with pytest.raises(RefusedError) as caught:
        broker.subscribe(client_id, topics)
    assert caught.value.code == "topics"
    broker.stop()
