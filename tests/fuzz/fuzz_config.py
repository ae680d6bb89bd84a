# Invariant: whatever the text, `parse_config` returns a Config within its bounds or raises ConfigError, one line.
"""Fuzzes the installer's one file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.config import parse_config
from agent.core.errors import ConfigError

SAMPLE: Final = Path(__file__).parents[2] / "config" / "doorbell.toml"
SMALL: Final = b"""[device]
location = [51.5, -0.1]
[camera]
source = "scene:porch"
privacy_zones = [[[0, 0], [1, 0], [0, 1]]]
[platform]
broker = "mqtts://b"
directory = "https://d/x"
ca = "ca.pem"
root = "root.json"
"""


def seeds() -> Iterator[bytes]:
    """Yield a small configuration, and the whole sample."""
    yield SMALL
    if SAMPLE.exists():
        yield SAMPLE.read_bytes()


def one(data: bytes) -> None:
    """Check the invariant for one input."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    try:
        config = parse_config(text, Path("/d.toml"))
    except ConfigError as wrong:
        if "\n" in str(wrong).strip():
            raise AssertionError("more than one line") from wrong
        return
    if not 5 <= config.consent.grace_s <= 3600 or not 1 <= config.consent.daily_approvals <= 20:
        raise AssertionError("a limit was widened")
    if config.requests.max_window_s > 43_200 or config.requests.max_area_m2 > 1_300_000:
        raise AssertionError("a ceiling was widened")
