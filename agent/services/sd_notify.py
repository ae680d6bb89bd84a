"""sd_notify(3) in a few lines: one datagram to the socket that systemd names, nothing where it names none."""

import os
import socket


def notify(state: str) -> bool:
    """Tell systemd something, such as `READY=1` or `WATCHDOG=1`; say whether it was told."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(0)  # a full queue of systemd's must not stop the camera
            sock.sendto(state.encode(), address)
    except OSError:
        return False
    return True


def watchdog_s() -> float | None:
    """Return how often systemd wants `WATCHDOG=1`, halved for safety, or None when it doesn't."""
    text, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not text.isdigit() or pid not in ("", str(os.getpid())):
        return None
    return int(text) / 2_000_000
