"""`doorbell check-config`: what the configuration says, to whoever wrote it.

Camera, broker and directory are judged as the processes do that use them; nothing is opened, no secret shown.
"""

import argparse
import json

from agent.capture.live_source import rtsp_address
from agent.capture.open_source import open_source
from agent.config import Config
from agent.services.system_clock import SystemClock
from agent.uplink.addresses import broker_address, directory_address


def judge(config: Config) -> None:
    """Refuse what a process would refuse when it starts.

    Raises:
        ConfigError: the first of it.
    """
    open_source(config.camera, SystemClock(config.device.clock))
    broker_address(config.platform.broker)
    directory_address(config.platform.directory)


def shown(config: Config) -> dict[str, dict[str, str]]:
    """Return every value under its section and key, without what the addresses of camera and notices hide."""
    parts = {name: getattr(config, name) for name in Config.__dataclass_fields__ if name != "path"}
    values = {
        section: {key: str(getattr(part, key)) for key in part.__dataclass_fields__ if key != "urls"}
        for section, part in parts.items()
    }
    if config.camera.source.startswith(("rtsp://", "rtsps://")):
        values["camera"]["source"] = rtsp_address(config.camera.source).shown
    return values


def run(config: Config, args: argparse.Namespace) -> int:
    """Print what the configuration says; 0 when it is in order.

    Raises:
        ConfigError: it is not.
    """
    judge(config)
    values = shown(config)
    if args.json:
        print(json.dumps(values))
        return 0
    print(f"{config.path}: in order")
    for section, keys in values.items():
        for key, value in keys.items():
            print(f"{section}.{key} = {value}")
    return 0
