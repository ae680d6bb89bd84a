"""The page's real server in a thread, over the fake vault, on a free port of this machine."""

from __future__ import annotations

import asyncio
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import urllib3

from agent.page.app import make_app
from agent.page.events import EventHub
from agent.page.https_server import listen, make_server
from agent.page.rules import allowed_hosts
from agent.page.tls_identity import TlsIdentity
from tests.fakes.page_vault import PageVault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Served:
    """A running page: its vault, its port, and a client that speaks to it."""

    def __init__(self, vault: PageVault, port: int, hub: EventHub, thread: threading.Thread) -> None:
        self.vault = vault
        self.port = port
        self.hub = hub
        self._thread = thread
        self.origin = f"https://localhost:{port}"
        context = ssl.create_default_context(cadata=vault.ca.pem)
        self.client = urllib3.PoolManager(ssl_context=context, retries=False, timeout=10, maxsize=4)

    def is_running(self) -> bool:
        return self._thread.is_alive()

    def pair_link(self) -> str:
        return f"{self.origin}/pair#{self.vault.open_window()}"


@contextmanager
def serve(folder: Path, *, idle_s: float | None = None, vault: PageVault | None = None) -> Iterator[Served]:
    """Run the page until the block ends."""
    vault = vault or PageVault()
    identity = TlsIdentity(folder)
    identity.install(vault.certificate(identity.signing_request(["localhost", "127.0.0.1"])))
    sock = listen("127.0.0.1", 0)
    port = sock.getsockname()[1]
    hub = EventHub()
    app = make_app(vault, hub, allowed_hosts(["localhost"], "127.0.0.1", port))
    server = make_server(app.asgi, identity.context(), app.activity, idle_s=idle_s, on_stop=hub.end_all)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[sock])), name="page")
    thread.start()
    served = Served(vault, port, hub, thread)
    try:
        yield served
    finally:
        served.client.clear()
        server.should_exit = True
        thread.join(15)
        assert not thread.is_alive()
