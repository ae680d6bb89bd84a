"""A real mosquitto on a free loopback port: TLS, no persistence, and accounts with what they may do.

A device account may subscribe and nothing else; the platform's account publishes (protocol section 5).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from demo.certs import Certificate

START_S = 10.0
TRIES = 5
DEVICE = "device"
PLATFORM = "platform"
PASSWORDS = {DEVICE: "device-password", PLATFORM: "platform-password"}
"""Throw-away: the broker listens on loopback and dies with the demo."""


class BrokerError(Exception):
    """mosquitto is not there or does not start; the text says why."""


def mosquitto_path() -> str | None:
    """Where mosquitto is, also where Debian puts it out of users' PATH, or None."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A loopback TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ends_with_us() -> list[str]:
    """What to put before a command so that the kernel ends it when we are killed."""
    setpriv = shutil.which("setpriv")  # util-linux; without it only a SIGKILL leaves the broker behind
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


class Broker:
    """mosquitto in `folder`, started by `start` and stopped by `stop`; it keeps its ports over a restart.

    Args:
        folder: For the configuration and the log.
        certificate: What the TLS listener shows.
        ca: The authority whose client certificates it takes; None asks for none.
        plain: Also listen without TLS, on `plain_port`, for tests.
    """

    def __init__(
        self, folder: Path, certificate: Certificate, *, ca: Path | None = None, plain: bool = False
    ) -> None:
        self.folder = folder
        self.port = 0
        self.plain_port = 0
        self.log = folder / "mosquitto.log"
        self._early = folder / "mosquitto.early"  # what it says before it has read where its log is
        self._certificate = certificate
        self._ca = ca
        self._plain = plain
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The broker's address for a device's configuration."""
        return f"mqtts://localhost:{self.port}"

    def start(self) -> None:
        """Start it and return when it takes connections.

        Raises:
            BrokerError: mosquitto is not installed, or does not come up.
        """
        program = mosquitto_path()
        if program is None:
            raise BrokerError("mosquitto is not installed: apt-get install mosquitto")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_accounts()
        fixed = self.port != 0
        for _ in range(TRIES):
            if not fixed:
                self.port, self.plain_port = free_port(), free_port()
            config = self._write_config()
            with self._early.open("wb") as early:
                self._process = subprocess.Popen(
                    [*_ends_with_us(), program, "-c", str(config)],
                    stdin=subprocess.DEVNULL,
                    stdout=early,
                    stderr=early,
                )
            if self._came_up():
                return
            self.stop()
        raise BrokerError(f"mosquitto does not start: {self._complaint()}")

    def stop(self) -> None:
        """Stop it; nothing retained survives."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log_text(self) -> str:
        """What mosquitto wrote so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _complaint(self) -> str:
        """The first error that it wrote, else its last words: the folder is soon gone."""
        lines = (self._early.read_text(errors="replace") + self.log_text()).splitlines()
        plain = [line.partition(": ")[2] or line for line in lines]  # without the time of day
        return next((line for line in plain if "Error" in line), plain[-1] if plain else "it says nothing")

    def _came_up(self) -> bool:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                return False
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return True
            time.sleep(0.02)
        return False

    def _write_accounts(self) -> None:
        passwords = self.folder / "passwords"
        passwords.write_text("".join(f"{user}:{word}\n" for user, word in PASSWORDS.items()))
        passwords.chmod(0o600)
        hasher = shutil.which("mosquitto_passwd")
        if hasher is None:
            raise BrokerError("mosquitto_passwd is not installed: apt-get install mosquitto")
        done = subprocess.run([hasher, "-U", str(passwords)], check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise BrokerError(
                f"mosquitto_passwd failed: {(done.stderr or done.stdout).strip() or done.returncode}"
            )
        accounts = self.folder / "acl"
        accounts.write_text(
            f"user {DEVICE}\ntopic read db/1/#\n\nuser {PLATFORM}\ntopic readwrite db/1/#\n", encoding="ascii"
        )
        accounts.chmod(0o600)

    def _write_config(self) -> Path:
        lines = [
            "per_listener_settings false",
            "persistence false",
            "allow_anonymous false",
            f"password_file {self.folder / 'passwords'}",
            f"acl_file {self.folder / 'acl'}",
            "max_packet_size 65536",
            "retain_available true",
            f"log_dest file {self.log}",
            "log_type all",
            "log_timestamp true",
            f"listener {self.port} 127.0.0.1",
            f"certfile {self._certificate.cert}",
            f"keyfile {self._certificate.key}",
            "tls_version tlsv1.2",
        ]
        if self._ca is not None:
            lines += [f"cafile {self._ca}", "require_certificate true"]
        if self._plain:
            lines.append(f"listener {self.plain_port} 127.0.0.1")
        if os.geteuid() == 0:
            # As root mosquitto would drop to its own user, who can't read the throw-away keys.
            lines.insert(0, "user root")
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n")
        return config
