"""`[notify]`: tells the owner through a provider of their choice that something waits, and nothing else.

The sending is apprise's, in a short-lived child, so that a large library and its network code never live in the
uplink. One child at a time; one that hangs is ended. Off by default: its provider, and who watches the line, can
learn that something waits (protocol section 5).
"""

import contextlib
import logging
import subprocess  # noqa: TID251 - the one place that starts the sender
import sys
import threading
from pathlib import Path
from typing import Final

from agent.config import NotifySettings, load_config

log = logging.getLogger(__name__)

CHILD_S: Final = 60.0
TITLE: Final = "Doorbell"
BODY: Final = "Something waits for you on your doorbell's page."


class Notifier:
    """Starts the sender.

    Args:
        config: the configuration file, which the child reads: the addresses hold secrets and are never arguments.
        settings: `[notify]`.
    """

    def __init__(self, config: Path, settings: NotifySettings) -> None:
        self._config = config
        self._is_on = bool(settings.urls)
        self._busy = threading.Lock()

    def notify(self) -> None:
        """Send in the background; nothing when it is off or one is under way."""
        if self._is_on and self._busy.acquire(blocking=False):
            threading.Thread(target=self._send, name="notify", daemon=True).start()

    def _send(self) -> None:
        command = [sys.executable, "-m", "agent.services.notifier", str(self._config)]
        try:
            done = subprocess.run(  # noqa: S603 - our own module
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=CHILD_S, check=False
            )
            if done.returncode != 0:
                why = done.stdout.decode("utf-8", "replace").strip() or f"the sender ended with {done.returncode}"
                log.warning("uplink: [notify] failed: %s", why)
        except (OSError, subprocess.TimeoutExpired):
            log.warning("uplink: [notify] failed: the provider does not answer")
        finally:
            self._busy.release()


def send(config: Path) -> list[str]:
    """Be the child: tell every address the one sentence; returns what went wrong, naming addresses by number."""
    try:
        import apprise  # noqa: PLC0415 - the extra [notify], and only in the child
    except ImportError:
        return ["apprise is not installed: run pip install '.[notify]' in the checkout, with the doorbell's pip"]
    wrong = []
    for number, url in enumerate(load_config(config).notify.urls, start=1):
        sender = apprise.Apprise()
        if not sender.add(url):
            wrong.append(f"address {number} is none that apprise knows: correct it in [notify] urls")
        elif not sender.notify(title=TITLE, body=BODY):
            wrong.append(f"address {number} did not take the notice: check it and the internet connection")
    return wrong


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # what apprise itself says may name addresses: nobody reads it
        problems = send(Path(sys.argv[1]))
    sys.stdout.write("; ".join(problems))
    sys.exit(1 if problems else 0)
