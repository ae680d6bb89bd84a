"""What the uplink's tests share: one throw-away authority for the session."""

import ssl
from pathlib import Path

import pytest

from agent.uplink.tls import client_context
from demo.certs import Authority, Certificate


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
