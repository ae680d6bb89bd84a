"""The connection to the broker, byte by byte: what is sent, in which order, and what rubbish does."""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.core.errors import RefusedError
from agent.uplink.addresses import BrokerAddress
from agent.uplink.inbox import Arrived, Inbox
from agent.uplink.mqtt import Broker
from agent.uplink.mqtt_session import BrokerSettings
from demo.certs import Authority
from tests.fakes.uplink_broker import (
    CONNACK_OK,
    DISCONNECT,
    PINGREQ,
    PUBACK,
    SUBSCRIBE,
    FakeBroker,
    Peer,
    publish,
    topics_of,
    varint,
)

CELL = ("db/1/req/9q8y/+", "db/1/can/9q8y/+", "db/1/alert/9q8y/+")
CLIENT_ID = "0123456789abcdef0123456789abcdef"
REQ = "db/1/req/9q8y/00000000000000000000000000000000"


class Device:
    """Uplink's end, against a fake broker."""

    def __init__(
        self,
        talk: Callable[[Peer], None],
        *,
        username: str | None = None,
        password: Path | None = None,
        ca: Path | None = None,
    ) -> None:
        self.inbox = Inbox()
        self.states: list[tuple[str, str]] = []
        self.changed = threading.Condition()
        self.fake = FakeBroker(talk)
        settings = BrokerSettings(
            BrokerAddress("127.0.0.1", self.fake.port, tls=ca is not None),
            ca or Path("/nonexistent-ca"),
            username=username,
            password_file=password,
        )
        self.broker = Broker(settings, self.inbox, self._on_state, delay_s=lambda _: 0.05)

    def _on_state(self, state: str, why: str) -> None:
        with self.changed:
            self.states.append((state, why))
            self.changed.notify_all()

    def until(self, state: str) -> str:
        with self.changed:
            assert self.changed.wait_for(lambda: any(one[0] == state for one in self.states), 10), self.states
            return next(why for one, why in self.states if one == state)

    def take(self) -> Arrived | None:
        """The next message; None instead of waiting for ever."""
        timer = threading.Timer(20, self.inbox.close)
        timer.start()
        try:
            return self.inbox.get()
        finally:
            timer.cancel()

    def stop(self) -> None:
        self.broker.stop()
        self.inbox.close()
        self.fake.stop()


Start = Callable[..., Device]


@pytest.fixture
def start() -> Iterator[Start]:
    devices: list[Device] = []

    def make(talk: Callable[[Peer], None], **more: object) -> Device:
        device = Device(talk, **more)  # type: ignore[arg-type]
        devices.append(device)
        device.broker.subscribe(CLIENT_ID, CELL)
        return device

    yield make
    for device in devices:
        device.stop()


def test_connect_says_exactly_what_the_protocol_says(start: Start, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("secret word\n")
    seen = []

    def talk(peer: Peer) -> None:
        seen.append(peer.accept())
        peer.grant()
        peer.packet()

    device = start(talk, username="doorbell", password=password)
    device.until("up")
    connect = seen[0]
    assert (connect.protocol, connect.version) == (b"MQTT", 5)
    assert connect.flags == 0b1100_0010, "user name, password, Clean Start; no will"
    assert connect.keep_alive == 300
    assert connect.client_id == CLIENT_ID
    assert connect.rest == b"\0\x08doorbell\0\x0bsecret word"
    assert connect.properties == {0x11: 0, 0x21: 16, 0x27: 32_768}


def test_without_an_account_neither_name_nor_password_is_sent(start: Start) -> None:
    seen = []

    def talk(peer: Peer) -> None:
        seen.append(peer.accept())
        peer.grant()
        peer.packet()

    start(talk).until("up")
    assert (seen[0].flags, seen[0].rest) == (0b0000_0010, b"")


def test_subscribe_asks_for_qos_1_and_retained_messages(start: Start) -> None:
    seen = []

    def talk(peer: Peer) -> None:
        peer.accept()
        seen.append(topics_of(peer.grant()))
        peer.packet()

    start(talk).until("up")
    assert seen[0] == [(topic, 1) for topic in CELL], "QoS 1, no options: Retain Handling 0"


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
    assert acknowledged.wait(5)


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
    deadline = time.monotonic() + 5
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


def test_a_refused_account_is_refused_with_what_to_check(start: Start) -> None:
    def talk(peer: Peer) -> None:
        peer.packet()
        peer.sock.sendall(bytes([0x20, 3, 0, 0x86, 0]))
        peer.packet()

    assert "check [platform] username" in start(talk).until("refused")


def test_a_refused_subscription_is_refused(start: Start) -> None:
    def talk(peer: Peer) -> None:
        peer.accept()
        peer.suback(peer.expect(SUBSCRIBE), [1, 0x87, 1])
        peer.packet()

    device = start(talk)
    assert "does not allow this account to subscribe" in device.until("refused")
    assert not any(state == "up" for state, _ in device.states)


def test_words_of_the_broker_are_never_repeated(start: Start) -> None:
    words = b"\x1b[31m call 555-SCAM"
    properties = b"\x1f" + len(words).to_bytes(2, "big") + words

    def talk(peer: Peer) -> None:
        peer.packet()
        body = bytes([0, 0x88, len(properties)]) + properties
        peer.sock.sendall(bytes([0x20, len(body)]) + body)
        peer.packet()

    why = start(talk).until("refused")
    assert why == "the broker refuses the connection (Server unavailable)"


def test_a_change_is_said_once(start: Start) -> None:
    def talk(peer: Peer) -> None:
        peer.accept()
        peer.grant()

    device = start(talk)
    device.until("down")
    deadline = time.monotonic() + 5
    while device.fake.connections < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    with device.changed:
        pairs = list(zip(device.states, device.states[1:], strict=False))
    assert device.fake.connections >= 5
    assert all(one != other for one, other in pairs)


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
    assert again.wait(5)
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
    assert done.wait(5)
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

    device = Device(talk)
    device.inbox = Inbox(max_messages=4)
    device.broker._inbox = device.inbox
    device.broker.subscribe(CLIENT_ID, CELL)
    try:
        assert subscribed.acquire(timeout=5)
        deadline = time.monotonic() + 5
        while device.inbox.dropped < 6 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not subscribed.acquire(timeout=0.3), "not while the inbox is full"
        for _ in range(4):
            device.take()
        assert subscribed.acquire(timeout=5)
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


def test_credentials_are_not_shown(tmp_path: Path) -> None:
    settings = BrokerSettings(
        BrokerAddress("h", 1, tls=True), tmp_path, password_file=tmp_path / "pw", client_key=tmp_path / "k"
    )
    assert "pw" not in repr(settings)
    assert "/k" not in repr(settings)


def test_a_missing_password_file_is_said_plainly(start: Start, tmp_path: Path) -> None:
    def talk(peer: Peer) -> None:
        peer.packet()

    why = start(talk, username="x", password=tmp_path / "gone").until("refused")
    assert why.startswith("[platform] password_file = ")
    assert why.endswith("can't be read")


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


def test_a_shorter_keep_alive_of_the_broker_is_kept(start: Start) -> None:
    pinged = threading.Event()

    def talk(peer: Peer) -> None:
        peer.packet()
        peer.sock.sendall(bytes([0x20, 6, 0, 0, 3, 0x13, 0, 1]))
        peer.grant()
        peer.expect(PINGREQ)
        pinged.set()
        peer.packet()

    start(talk)
    assert pinged.wait(5)


def test_a_broker_that_speaks_no_tls_is_refused(start: Start, authority: Authority) -> None:
    def talk(peer: Peer) -> None:
        peer.sock.recv(1000)
        peer.sock.sendall(CONNACK_OK * 10)

    assert start(talk, ca=authority.pem).until("refused").startswith("TLS with the broker fails")


def test_a_missing_authority_is_said_plainly(start: Start, tmp_path: Path) -> None:
    def talk(peer: Peer) -> None:
        peer.packet()

    why = start(talk, ca=tmp_path / "gone.pem").until("down")
    assert why == f"[platform] ca = {tmp_path / 'gone.pem'}: no readable PEM certificate there"


def test_a_broker_that_says_nothing_is_left(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.uplink.mqtt_session.ANSWER_S", 0.3)

    def talk(peer: Peer) -> None:
        peer.packet()
        peer.packet()

    assert start(talk).until("down") == "the broker does not answer in time"


def test_another_client_id_means_another_connection(start: Start) -> None:
    seen: list[str] = []
    first = threading.Event()
    second = threading.Event()

    def talk(peer: Peer) -> None:
        seen.append(peer.accept().client_id)
        peer.grant()
        (second if first.is_set() else first).set()
        peer.packet()

    device = start(talk)
    assert first.wait(5)
    device.broker.subscribe("f" * 32, CELL)
    assert second.wait(5)
    assert seen == [CLIENT_ID, "f" * 32]
