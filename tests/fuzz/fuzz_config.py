# Invariant: whatever the text, the configuration is read or refused with ConfigError, on one line for a person.
"""Fuzzes the configuration file: what an owner, an installer or a platform's bundle may have written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.config import parse_config
from agent.core.errors import ConfigError

PATH: Final = Path("/etc/doorbell/doorbell.toml")
GOOD: Final = """
[device]
name = "Front door"
location = [37.7749, -122.4194]
time_zone = "America/Los_Angeles"
[camera]
source = "scene:porch"
privacy_zones = [[[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]]]
[motion]
sensitivity = 5
[clips]
pre_roll_s = 6
[requests]
max_window_s = 3600
[consent]
grace_s = 60
button = "always"
[button]
pin = 17
lamp_pin = 18
[platform]
broker = "mqtts://broker.example:8883"
directory = "https://directory.example"
ca = "ca.pem"
root = "root.json"
"""


def seeds() -> Iterator[bytes]:
    """Yield configurations to begin with: a whole one, and it with each line left out."""
    yield GOOD.encode()
    lines = GOOD.splitlines()
    for at in range(1, len(lines)):
        yield "\n".join(lines[:at] + lines[at + 1 :]).encode()
    for odd in ("x = 1", "[device]\nlocation = [nan, inf]", "[x]", "[device]\nname = 1979-05-27", "a.b.c = {}"):
        yield odd.encode()


def one(data: bytes) -> None:
    """Check the invariant for one input."""
    try:
        parse_config(data.decode("utf-8", "replace"), PATH)
    except ConfigError as refused:
        if "\n" in str(refused) or not str(refused):
            raise AssertionError("not one line") from refused
