"""`[notify]`: tells the owner through a provider of their choice that something waits, and nothing else.

The sending is apprise's, in a short-lived child, so that a large library and its network code never live in the
uplink. One child at a time; one that hangs is ended. Off by default: its provider, and who watches the line, can
learn that something waits (protocol section 5).
"""

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
                log.warning("uplink: [notify] failed: install doorbell-agent[notify] and check the urls")
        except (OSError, subprocess.TimeoutExpired):
            log.warning("uplink: [notify] failed: the provider does not answer")
        finally:
            self._busy.release()


def send(config: Path) -> int:
    """Be the child: tell every address the one sentence; 0 when all took it."""
    try:
        import apprise  # noqa: PLC0415 - the extra [notify], and only in the child
    except ImportError:
        return 1
    sender = apprise.Apprise()
    for url in load_config(config).notify.urls:
        sender.add(url)
    return 0 if sender.notify(title=TITLE, body=BODY) else 1


if __name__ == "__main__":
    sys.exit(send(Path(sys.argv[1])))
