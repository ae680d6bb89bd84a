"""The connection to a real mosquitto, over TLS."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.uplink.addresses import broker_address
from agent.uplink.inbox import Arrived, Inbox
from agent.uplink.mqtt_session import BrokerSettings
from demo.broker import DEVICE, PASSWORDS, Broker
from demo.certs import Authority, Certificate
from demo.dispatch import Publisher
from tests.uplink.broker_device import CELL, CLIENT_ID, Device

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def authority_(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def broker(authority_: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("broker"), authority_.issue("server"), plain=True)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def publisher(broker: Broker, authority_: Authority) -> Iterator[Publisher]:
    publisher = Publisher(broker, authority_.pem)
    publisher.start()
    yield publisher
    publisher.stop()


def settings(
    broker: Broker, authority: Authority, folder: Path, *, url: str = "", word: str = ""
) -> BrokerSettings:
    password = folder / "password"
    password.write_text(word or PASSWORDS[DEVICE])
    return BrokerSettings(broker_address(url or broker.url), authority.pem, DEVICE, password)


@pytest.fixture
def device(broker: Broker, authority_: Authority, tmp_path: Path) -> Iterator[Device]:
    device = Device(settings(broker, authority_, tmp_path))
    yield device
    device.stop()


def test_a_retained_request_arrives_and_arrives_again(device: Device, publisher: Publisher) -> None:
    publisher.publish("req", ["9q8y", "9q8"], "a" * 32, b"one", life_s=60)
    device.broker.subscribe(CLIENT_ID, CELL)
    assert device.take() == Arrived("req", b"one")
    device.until("up")
    device.broker.subscribe(CLIENT_ID, CELL)
    assert device.take() == Arrived("req", b"one")
    publisher.publish("req", ["9q8y", "9q8"], "a" * 32, b"")


def test_what_is_published_later_arrives(device: Device, publisher: Publisher) -> None:
    device.broker.subscribe(CLIENT_ID, CELL)
    device.until("up")
    publisher.publish("can", ["9q8y"], "b" * 32, b"two", life_s=2)
    publisher.publish("alert", ["9q8y"], "c" * 32, b"three", life_s=2)
    assert [device.take(), device.take()] == [Arrived("can", b"two"), Arrived("alert", b"three")]


def test_the_broker_sees_mqtt_5_and_no_session(device: Device, broker: Broker) -> None:
    device.broker.subscribe(CLIENT_ID, CELL)
    device.until("up")
    assert f"as {CLIENT_ID} (p5, c1, k300, u'{DEVICE}')" in broker.log_text()


def test_the_devices_account_can_not_publish(broker: Broker, authority_: Authority, device: Device) -> None:
    """The account's own limits, with a client that tries."""
    import paho.mqtt.client as mqtt  # noqa: PLC0415 - the attacker's own
    from paho.mqtt.enums import CallbackAPIVersion  # noqa: PLC0415 - as above

    device.broker.subscribe(CLIENT_ID, CELL)
    device.until("up")
    reasons: list[str] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.username_pw_set(DEVICE, PASSWORDS[DEVICE])
    client.tls_set_context(authority_.client_context())
    client.on_publish = lambda _c, _d, _m, reason, _p: reasons.append(str(reason))
    client.connect("localhost", broker.port)
    client.loop_start()
    client.publish("db/1/req/9q8y/" + "d" * 32, b"forged", qos=1)
    deadline = time.monotonic() + 20
    while not reasons and time.monotonic() < deadline:
        time.sleep(0.02)
    client.disconnect()
    client.loop_stop()
    assert reasons == ["Not authorized"]
    time.sleep(0.2)
    assert b"forged" not in [message.body for message in device.inbox._waiting]


def test_a_broker_that_goes_and_comes_back_is_found_again(authority_: Authority, tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker", authority_.issue("server2"))
    broker.start()
    device = Device(settings(broker, authority_, tmp_path))
    try:
        device.broker.subscribe(CLIENT_ID, CELL)
        device.until("up")
        broker.stop()
        device.until("down")
        seen = len(device.states)
        broker.start()
        device.until("up", after=seen)
    finally:
        device.stop()
        broker.stop()


def test_nobody_listening_is_down(broker: Broker, authority_: Authority, tmp_path: Path) -> None:
    device = Device(settings(broker, authority_, tmp_path, url="mqtts://localhost:1"))
    device.broker.subscribe(CLIENT_ID, CELL)
    try:
        assert device.until("down") == "the broker does not answer at localhost:1 (Connection refused)"
    finally:
        device.stop()


def test_a_wrong_password_is_refused_and_never_shown(
    broker: Broker, authority_: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    device = Device(settings(broker, authority_, tmp_path, word="wrong-word"))
    device.broker.subscribe(CLIENT_ID, CELL)
    try:
        why = device.until("refused")
    finally:
        device.stop()
    assert "check [platform] username" in why
    assert "wrong-word" not in why + caplog.text


def test_a_broker_of_another_authority_is_refused(broker: Broker, stranger: Authority, tmp_path: Path) -> None:
    device = Device(settings(broker, stranger, tmp_path))
    device.broker.subscribe(CLIENT_ID, CELL)
    try:
        assert "certificate is not accepted" in device.until("refused")
    finally:
        device.stop()


def test_a_certificate_for_another_name_is_refused(authority_: Authority, tmp_path: Path) -> None:
    certificate = authority_.issue("elsewhere", names=("elsewhere.example",), ips=("127.0.0.9",))
    broker = Broker(tmp_path / "broker", certificate)
    broker.start()
    device = Device(settings(broker, authority_, tmp_path))
    device.broker.subscribe(CLIENT_ID, CELL)
    try:
        assert "certificate is not accepted" in device.until("refused")
    finally:
        device.stop()
        broker.stop()


def test_a_client_certificate_is_shown_where_one_is_configured(authority_: Authority, tmp_path: Path) -> None:
    certificate: Certificate = authority_.issue("server3")
    broker = Broker(tmp_path / "broker", certificate, ca=authority_.pem)
    broker.start()
    own = authority_.issue("own", names=("device.example",), ips=())
    password = tmp_path / "password"
    password.write_text(PASSWORDS[DEVICE])
    address = broker_address(broker.url)
    device = Device(BrokerSettings(address, authority_.pem, DEVICE, password, own.cert, own.key))
    bare = Device(BrokerSettings(address, authority_.pem, DEVICE, password))
    try:
        device.broker.subscribe(CLIENT_ID, CELL)
        device.until("up")
        bare.broker.subscribe("cd" * 16, CELL)
        deadline = time.monotonic() + 10
        while not bare.states and time.monotonic() < deadline:
            time.sleep(0.02)
        assert bare.states[0][0] in ("down", "refused")
    finally:
        device.stop()
        bare.stop()
        broker.stop()


def test_plain_tcp_works_on_loopback(broker: Broker, authority_: Authority, tmp_path: Path) -> None:
    device = Device(settings(broker, authority_, tmp_path, url=f"mqtt://localhost:{broker.plain_port}"))
    device.broker.subscribe(CLIENT_ID, CELL)
    try:
        device.until("up")
    finally:
        device.stop()


def test_a_flood_larger_than_the_inbox_gets_through_in_the_end(
    broker: Broker, authority_: Authority, publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.uplink.mqtt.TICK_S", 0.05)
    names = [f"{number:032x}" for number in range(30)]
    for name in names:
        publisher.publish("req", ["9q8z"], name, name.encode(), life_s=60)
    device = Device(settings(broker, authority_, tmp_path))
    device.inbox = device.broker._inbox = Inbox(max_messages=10)
    device.broker._delay_s = lambda _: 0.0
    device.broker.subscribe(CLIENT_ID, ["db/1/req/9q8z/+"])
    seen: set[bytes] = set()
    try:
        device.until("up")
        while len(seen) < len(names):
            time.sleep(0.002)
            arrived = device.take()
            assert arrived is not None
            seen.add(arrived.body)
    finally:
        device.stop()
        for name in names:
            publisher.publish("req", ["9q8z"], name, b"")
    assert device.inbox.dropped > 0
