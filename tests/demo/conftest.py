"""What the demo's tests share: one throw-away authority for the session, and an end for every demo they start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.certs import Authority, Certificate
from tests.demo import running


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> Certificate:
    return authority.issue("server")


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose path leaves room for unix sockets."""
    return tmp_path_factory.mktemp("d")


@pytest.fixture(autouse=True)
def none_is_left_running() -> Iterator[None]:
    yield
    running.end_all()
