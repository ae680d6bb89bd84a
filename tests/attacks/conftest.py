"""A whole vault for the attacks that need one."""

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
def wired(tmp_path: Path) -> Iterator[Rig]:
    """A vault with a button, so that a share waits for a press."""
    made = Rig(tmp_path, button="pin = 17")
    yield made
    made.close()
