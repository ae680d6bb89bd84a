"""The doorbell itself: the real `doorbell run` as a child, and its command line as the owner types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.services.fault_words import FAULTS
from agent.services.parent_death import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
STOP_S = 30.0
COMMAND_S = 60.0
POLL_S = 0.3


class DoorbellFailedError(Exception):
    """A `doorbell` command failed; the text is what it said, in one line."""


def command(*arguments: str | Path) -> list[str]:
    """The command line of `doorbell` with these arguments, in this Python."""
    return [sys.executable, "-m", "agent", *(str(one) for one in arguments)]


def environment(**more: str) -> dict[str, str]:
    """The children's environment: the repository's packages can be imported."""
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT))))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **more}


def is_up(status: dict[str, Any]) -> bool:
    """Whether the answer of `doorbell status` is that of one that hears, knows the agencies and records."""
    return bool(status["broker"] == "up" and status["directory"]["fresh"] and status["recording"])


def doorbell(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run one `doorbell` command to its end.

    Raises:
        DoorbellFailedError: it did not end in time, or did not exit 0 and `check` is set.
    """
    try:
        done = subprocess.run(
            command(*arguments),
            env=environment(),
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as exc:
        raise DoorbellFailedError(f"doorbell {arguments[0]}: no answer within {COMMAND_S:.0f} s") from exc
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise DoorbellFailedError(f"doorbell {arguments[0]}: {said[-1] if said else f'exit {done.returncode}'}")
    return done


class Doorbell:
    """A configured doorbell between `start` and `stop`.

    Args:
        config: Its `doorbell.toml`.
        log: Where what it says goes.
    """

    def __init__(self, config: Path, log: Path) -> None:
        self.config = config
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of `doorbell run`."""
        if self._process is None:
            raise DoorbellFailedError("the doorbell is not running")
        return self._process.pid

    def start(self) -> None:
        """Run it, in a process group of its own, so that Ctrl-C reaches it through us alone."""
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                command("run", "--config", self.config),
                env=environment(**{VARIABLE: str(os.getpid())}),  # it ends when we are killed
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def stop(self) -> int:
        """Stop it as systemd would; return its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.terminate()
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its own session: the four processes and nobody else
            return process.wait()

    def check(self) -> None:
        """See that it still runs.

        Raises:
            DoorbellFailedError: it has ended; the text is its last words.
        """
        if self._process is not None and self._process.poll() is not None:
            raise DoorbellFailedError(f"the doorbell ended: {self.last_words()}")

    def console(self, *arguments: str) -> Any:  # noqa: ANN401 - any JSON
        """What `doorbell <arguments> --json` answers.

        Raises:
            DoorbellFailedError: it failed, or the doorbell has ended.
        """
        self.check()
        return json.loads(doorbell(*arguments, "--json", "--config", self.config).stdout)

    def wait_until(self, ready: Callable[[dict[str, Any]], bool], timeout_s: float, what: str) -> dict[str, Any]:
        """Wait until `doorbell status` is as `ready` wants it; return it.

        Raises:
            DoorbellFailedError: not in time, or the doorbell has ended.
        """
        deadline, last = time.monotonic() + timeout_s, "it does not answer"
        while time.monotonic() < deadline:
            self.check()
            try:
                status: dict[str, Any] = self.console("status")
            except DoorbellFailedError as error:
                last = str(error)
            else:
                if ready(status):
                    return status
                last = "; ".join(f"{code}: {FAULTS.get(code, code)}" for code in status["faults"]) or "no fault"
            time.sleep(POLL_S)
        raise DoorbellFailedError(f"{what} did not happen within {timeout_s:.0f} s ({last})")

    def last_words(self) -> str:
        """The last line that it wrote."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1] if lines else "it said nothing"
