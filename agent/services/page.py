"""`doorbell page`: the composition root of the owner's page.

Order of start: the TLS key, a certificate from the vault (an old one will do while the vault is away), the socket
(systemd's, or one of its own), then the server. It stops on SIGTERM, and by itself when systemd holds the socket
and nobody has looked for `idle_s`. Always exits 0 when told to stop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING, Final

from agent.core.errors import RefusedError, TroubleError
from agent.page.app import make_app
from agent.page.events import EventHub
from agent.page.https_server import listen, make_server
from agent.page.rules import allowed_hosts
from agent.page.tls_identity import TlsIdentity
from agent.services.page_vault import WireVault
from agent.services.sd_notify import notify, watchdog_s
from agent.services.system_clock import SystemClock

if TYPE_CHECKING:
    from agent.config import Config
    from agent.core.clock import Clock

log = logging.getLogger(__name__)

FIRST_SYSTEMD_FD: Final = 3
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
RENEW_CHECK_S: Final = 6 * 3600.0


def _systemd_socket() -> socket.socket | None:
    """The one listening socket that systemd handed over (sd_listen_fds(3)), or None."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    return socket.socket(fileno=FIRST_SYSTEMD_FD)


class _Trouble:
    """Says a trouble once, when it begins or changes, and waits longer each time."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._said = ""
        self._wait_s = FIRST_WAIT_S

    def wait(self, trouble: Exception) -> None:
        if str(trouble) != self._said:
            self._said = str(trouble)
            log.warning("page: %s", trouble)
        self._stop.wait(self._wait_s)
        self._wait_s = min(self._wait_s * 2, LONGEST_WAIT_S)


def _obtain_certificate(identity: TlsIdentity, vault: WireVault, clock: Clock, names: list[str]) -> None:
    if identity.needs_certificate(now_ms=clock.utc_ms(), names=names):
        identity.install(vault.certificate(identity.signing_request(names)))
        log.info("page: new certificate")


def _certified(
    identity: TlsIdentity, vault: WireVault, clock: Clock, names: list[str], stop: threading.Event
) -> bool:
    """Get a certificate before the first phone comes; False when told to stop meanwhile."""
    trouble = _Trouble(stop)
    while not stop.is_set():
        try:
            _obtain_certificate(identity, vault, clock, names)
        except (TroubleError, RefusedError) as exc:
            if identity.has_certificate():
                log.warning("page: keeps its old certificate: %s", exc)
                return True
            trouble.wait(exc)
        else:
            return True
    return False


def _listening(config: Config, vault: WireVault, stop: threading.Event) -> socket.socket | None:
    """A socket of our own, tried again while the port is taken; None when told to stop meanwhile.

    The vault is told at each try, for it may be another one by then; a page that goes takes its fault along.
    """
    trouble, failed = _Trouble(stop), False
    while not stop.is_set():
        try:
            sock = listen(config.page.host, config.page.port)
        except TroubleError as exc:
            failed = True
            vault.tell_faults([exc.code])
            trouble.wait(exc)
        else:
            if failed:
                vault.tell_faults([])
            return sock
    return None


async def _renew(identity: TlsIdentity, vault: WireVault, clock: Clock, names: list[str]) -> None:
    """Renew the certificate while the server runs; phones pin the key, so nothing changes for them."""
    while True:
        await asyncio.sleep(RENEW_CHECK_S)
        try:
            await asyncio.to_thread(_obtain_certificate, identity, vault, clock, names)
        except (TroubleError, RefusedError) as exc:
            log.warning("page: no new certificate yet: %s", exc)


async def _tell_systemd() -> None:
    """Say that the page serves, and go on saying so from the loop that serves."""
    period_s = watchdog_s()
    notify("READY=1")
    while period_s is not None:
        notify("WATCHDOG=1")
        await asyncio.sleep(period_s)


def main(config: Config) -> int:
    """Run the page until it is told to stop; returns the exit code."""
    stop = threading.Event()
    # The server re-raises what ended it; by then this handler makes the exit a quiet one.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    clock, hub = SystemClock(config.device.clock), EventHub()
    identity = TlsIdentity(config.device.state_dir / "page")
    vault = WireVault(config.device.run_dir / "page.sock", clock, hub.end_all)
    names = list(config.page.all_names)
    try:
        if not _certified(identity, vault, clock, names, stop):
            return 0
        given = _systemd_socket()
        sock = given or _listening(config, vault, stop)
        if sock is None:
            return 0
        hosts = allowed_hosts(config.page.names, config.page.host, sock.getsockname()[1])
        app = make_app(vault, hub, hosts)
        server = make_server(
            app.asgi,
            identity.context(),
            app.activity,
            idle_s=config.page.idle_s if given else None,
            on_stop=hub.end_all,
        )

        async def run() -> None:
            tasks = [
                asyncio.create_task(_renew(identity, vault, clock, names)),
                asyncio.create_task(_tell_systemd()),
            ]
            log.info("page: listening on port %d", sock.getsockname()[1])
            await server.serve(sockets=[sock])
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run(run())
    finally:
        vault.close()
    return 0
