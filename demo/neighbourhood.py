"""Everything around one doorbell, and the doorbell: started in one order, stopped in the reverse.

`folder` holds all of it: certificates, broker, bundles, the platform's bundle for installers and the doorbell's
own configuration and state. Tests use the whole or only the parts that they need.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.agency import Agency, square
from demo.broker import DEVICE, PASSWORDS, Broker, free_port
from demo.certs import Authority
from demo.directory import Directory
from demo.directory_server import DirectoryServer
from demo.dispatch import Dispatch, Publisher, cells_of
from demo.doorbell import Doorbell, doorbell
from demo.keys import SignKey
from demo.upload_server import UploadServer

if TYPE_CHECKING:
    from pathlib import Path

PLATFORM_NAME = "Example platform"
KEY_LIFE_S = 365 * 86_400


@dataclass(frozen=True)
class HouseSettings:
    """What the demo's doorbell is told.

    Attributes:
        source: `[camera] source`.
        grace_s: `[consent] grace_s`.
        enabled: `[requests] enabled`.
        page_host: `[page] host`.
        page_names: `[page] names`; the first stands in the pairing link where `page_host` is no name.
        extra: More TOML, whole sections that are not written here.
    """

    source: str = "scene:porch"
    grace_s: int = 5
    enabled: bool = False
    page_host: str = "127.0.0.1"
    page_names: tuple[str, ...] = ("localhost",)
    extra: str = ""


class Neighbourhood:
    """One platform, one agency, one doorbell.

    Args:
        folder: An empty folder with a short path (unix sockets lie in it).
        settings: The doorbell's.
        hash_bins_bits: How the directory delegates, see `Directory`.
    """

    def __init__(
        self, folder: Path, settings: HouseSettings | None = None, *, hash_bins_bits: int | None = None
    ) -> None:
        self.folder = folder
        self.settings = settings or HouseSettings()
        folder.mkdir(parents=True, exist_ok=True)
        now_s = int(time.time())
        validity = (now_s - 86_400, now_s + KEY_LIFE_S)
        self.authority = Authority(folder / "ca")
        certificate = self.authority.issue("server")
        self.broker = Broker(folder / "broker", certificate)
        self.agency = Agency(sign_key=SignKey().valid(*validity))
        self.receipt_key = SignKey().valid(*validity)
        dispatch_key = SignKey().valid(*validity)
        self.uploads = UploadServer(folder / "bundles", certificate, self.receipt_key)
        self.directory = Directory(
            now_s=now_s,
            dispatch=[dispatch_key],
            receipt=[self.receipt_key],
            endpoints={"ep1": self.uploads.endpoint},
            agencies=[self.agency.directory_file()],
            hash_bins_bits=hash_bins_bits,
        )
        self.directory_server = DirectoryServer(self.directory, certificate)
        self.dispatch = Dispatch(dispatch_key, self.directory)
        self.publisher = Publisher(self.broker, self.authority.pem)
        self.page_port = free_port()
        self.broker_url = ""  # what the doorbell is told instead of the real ones, for a proxy on the line
        self.directory_url = ""
        self.config = folder / "house" / "doorbell.toml"
        self.root = folder / "root.json"
        self.doorbell = Doorbell(self.config, folder / "doorbell.log")
        self._running = ExitStack()
        for server in (self.uploads, self.directory_server):  # they hold their ports from here on
            self._running.callback(server.stop)

    @property
    def state_dir(self) -> Path:
        """The doorbell's state."""
        return self.config.parent / "state"

    def start_platform(self) -> None:
        """Start broker, directory and upload server, and connect the platform's publisher."""
        self.directory_server.start()
        self.uploads.start()
        self.broker.start()
        self._running.callback(self.broker.stop)
        self.publisher.start()
        self._running.callback(self.publisher.stop)

    def install_doorbell(self) -> str:
        """Write the configuration and run `doorbell init --platform`; return the owner's card's link."""
        self.root.write_bytes(self.directory.root_json)
        bundle = self.folder / "platform.toml"
        bundle.write_text(self.platform_bundle(), encoding="utf-8")
        self.config.parent.mkdir(parents=True, exist_ok=True)
        (self.config.parent / "broker-password").write_text(PASSWORDS[DEVICE])
        self.config.write_text(self._house_config(), encoding="utf-8")
        done = doorbell("init", "--platform", bundle, "--json", "--config", self.config)
        with self.config.open("a", encoding="utf-8") as file:  # goes on with the [platform] section of `init`
            file.write(
                'password_file = "broker-password"\n'
                "private_addresses = true    # the whole neighbourhood is on this machine\n"
                "directory_delay_s = 0       # nobody else asks this directory\n"
            )
        return str(json.loads(done.stdout)["link"])

    def start_doorbell(self) -> None:
        """Start `doorbell run`."""
        self.doorbell.start()
        self._running.callback(self.doorbell.stop)

    def stop(self) -> None:
        """Stop everything that was started, the last one first."""
        self._running.close()

    def send_request(self, window: tuple[int, int], **fields: object) -> str:
        """The agency asks, dispatch countersigns and publishes; `fields` as in `Agency.request`.

        Returns:
            The request's id.
        """
        now_s = int(time.time())
        payload = self.agency.request(now_s=now_s, window=window)
        payload |= {"dirv": self.directory.platform["version"]} | fields
        envelope = self.dispatch.countersign(self.agency.sign_request(payload))
        self.publisher.publish_signed("req", envelope, payload["area"], now_s=now_s)
        return str(payload["id"])

    def cells(self) -> list[str]:
        """The cells that a default request is published to."""
        return cells_of(square(self.agency.centre))

    def platform_bundle(self) -> str:
        """What the platform gives to installers (protocol section 17)."""
        values = {
            "name": PLATFORM_NAME,
            "broker": self.broker_url or self.broker.url,
            "directory": self.directory_url or self.directory_server.url,
            "ca": self.authority.pem.read_text(),
            "root": self.directory.root_json.decode(),
            "username": DEVICE,
        }
        return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())

    def _house_config(self) -> str:
        lat, lon = self.agency.centre
        settings = self.settings
        return f"""\
[device]
name = "Demo doorbell"
location = [{lat / 1e7:.7f}, {lon / 1e7:.7f}]
state_dir = "state"
run_dir = "run"
clock = "host"

[camera]
source = {json.dumps(settings.source)}
size = [960, 540]

[clips]
pre_roll_s = 4
post_roll_s = 4
segment_s = 2
max_clip_s = 60

[requests]
enabled = {str(settings.enabled).lower()}

[consent]
grace_s = {settings.grace_s}

[page]
host = {json.dumps(settings.page_host)}
port = {self.page_port}
names = {json.dumps(settings.page_names)}

{settings.extra}
"""
