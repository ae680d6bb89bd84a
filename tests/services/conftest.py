"""A vault for each test."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.vault_rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.close()


@pytest.fixture
def unused_port() -> int:
    """A port on loopback that nobody listened on a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
