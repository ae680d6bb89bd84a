"""`doorbell run`: the four processes as children, for a machine without systemd.

Started in one order, stopped in the reverse. One that ends is started again, later each time it ends soon; one
that says that the configuration is wrong (exit 2) ends all.
"""

import logging
import os
import signal
import subprocess  # noqa: TID251 - the four processes are started here, [notify]'s sender in notifier.py
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent.config import Config
from agent.services.parent_death import VARIABLE
from agent.services.sd_notify import notify
from agent.services.vault.keys import load_keys

log = logging.getLogger(__name__)

ORDER: Final = ("vault", "recorder", "uplink", "page")
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
HEALTHY_S: Final = 30.0
STOP_S: Final = 20.0
VAULT_S: Final = 10.0
POLL_S: Final = 0.2
WRONG_CONFIG: Final = 2


@dataclass(slots=True)
class Child:
    """One of the four, running or waiting to be started again."""

    name: str
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    again_s: float = 0.0
    wait_s: float = FIRST_WAIT_S
    ends: int = field(default=0)


class Supervisor:
    """Keeps the four processes running until it is told to stop."""

    def __init__(self, config: Path, vault_socket: Path) -> None:
        self._config = config
        self._vault_socket = vault_socket
        self._children = [Child(name) for name in ORDER]
        self._told = False

    def run(self) -> int:
        """Start all, watch them, and stop them; returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._tell)
        code = 0
        while not self._told:
            for child in self._children:
                code = max(code, self._look_after(child))
            if code:
                break
            notify("READY=1")
            time.sleep(POLL_S)
        notify("STOPPING=1")
        killed = [self._stop(child) for child in reversed(self._children)]
        return code or int(any(killed))

    def _tell(self, *_: object) -> None:
        self._told = True

    def _look_after(self, child: Child) -> int:
        now_s = time.monotonic()
        if child.process is None:
            if now_s >= child.again_s and self._may_start(child, now_s):
                self._start(child)
            return 0
        code = child.process.poll()
        if code is None:
            if now_s - child.started_s > HEALTHY_S:
                child.wait_s = FIRST_WAIT_S
            return 0
        child.process = None
        if code == WRONG_CONFIG:
            return WRONG_CONFIG
        child.ends += 1
        self._again(child, f"ended ({_how(code)})")
        return 0

    def _again(self, child: Child, what: str) -> None:
        log.warning("%s %s; starting it again in %.1f s", child.name, what, child.wait_s)
        child.again_s = time.monotonic() + child.wait_s
        child.wait_s = min(child.wait_s * 2, LONGEST_WAIT_S)

    def _may_start(self, child: Child, now_s: float) -> bool:
        """Let the others wait for the vault's sockets at first; without one they would only try again."""
        vault = self._children[0]
        if child is vault or child.ends > 0:
            return True
        return vault.started_s > 0 and (self._vault_socket.exists() or now_s - vault.started_s > VAULT_S)

    def _start(self, child: Child) -> None:
        environment = {**os.environ, VARIABLE: str(os.getpid())}
        environment.pop("NOTIFY_SOCKET", None)  # systemd watches the supervisor, not its children
        command = [sys.executable, "-m", "agent", child.name, "--config", str(self._config)]
        try:
            child.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)  # noqa: S603 - ours
        except OSError as exc:  # no memory or no process is left for a while: the others are looked after
            self._again(child, f"can't be started ({exc.strerror})")
            return
        child.started_s = time.monotonic()

    def _stop(self, child: Child) -> bool:
        """Stop one child; True when it had to be killed."""
        if child.process is None:
            return False
        child.process.terminate()
        try:
            child.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop in %.0f s: killed", child.name, STOP_S)
            child.process.kill()
            child.process.wait()
            return True
        return False


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


def main(config: Config) -> int:
    """Run all four processes until SIGTERM or Ctrl-C.

    Raises:
        TroubleError: not-initialised.
    """
    load_keys(config.device.state_dir / "vault" / "keys")  # says "run doorbell init" once, not four times
    return Supervisor(config.path.absolute(), config.device.run_dir / "console.sock").run()
