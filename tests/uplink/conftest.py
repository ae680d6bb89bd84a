"""What the uplink's tests share: one throw-away authority for the session."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.uplink.tls import client_context
from demo.certs import Authority, Certificate
from tests.fakes.uplink_broker import Peer
from tests.uplink.broker_device import CELL, CLIENT_ID, FakedDevice, Start


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> Certificate:
    return authority.issue("server")


@pytest.fixture
def context(authority: Authority) -> ssl.SSLContext:
    return client_context(authority.pem)


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    """An authority that the device does not know."""
    return Authority(tmp_path / "stranger", "Some other CA")


@pytest.fixture
def start() -> Iterator[Start]:
    devices: list[FakedDevice] = []

    def make(talk: Callable[[Peer], None], **more: object) -> FakedDevice:
        device = FakedDevice(talk, **more)  # type: ignore[arg-type]
        devices.append(device)
        device.broker.subscribe(CLIENT_ID, CELL)
        return device

    yield make
    for device in devices:
        device.stop()
