"""Runs inside the virtual machine: each test begins with vivid's camera plugged in, well and still."""

import pytest

from tests.device.vm.inside import vivid


@pytest.fixture(autouse=True)
def _well() -> None:
    vivid.plug_in()
    vivid.turn("Percentage of Dropped Buffers", 0)
    vivid.turn("Horizontal Movement", vivid.STILL)
    vivid.turn("OSD Text Mode", vivid.ALL_TEXT)
    vivid.turn("Show Square", 0)
