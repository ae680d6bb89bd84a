"""The connection to the broker, byte by byte: CONNECT, who is let in, and what is said when nobody is."""

import threading
import time
from pathlib import Path

import pytest

from agent.uplink.addresses import BrokerAddress
from agent.uplink.mqtt_session import BrokerSettings
from demo.certs import Authority
from tests.fakes.uplink_broker import CONNACK_OK, PINGREQ, Peer
from tests.uplink.broker_device import CELL, CLIENT_ID, Start


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


def test_a_refused_account_is_refused_with_what_to_check(start: Start) -> None:
    def talk(peer: Peer) -> None:
        peer.packet()
        peer.sock.sendall(bytes([0x20, 3, 0, 0x86, 0]))
        peer.packet()

    assert "check [platform] username" in start(talk).until("refused")


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
    deadline = time.monotonic() + 20
    while device.fake.connections < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    with device.changed:
        pairs = list(zip(device.states, device.states[1:], strict=False))
    assert device.fake.connections >= 5
    assert all(one != other for one, other in pairs)


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
    assert pinged.wait(20)


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
    assert first.wait(20)
    device.broker.subscribe("f" * 32, CELL)
    assert second.wait(20)
    assert seen == [CLIENT_ID, "f" * 32]
