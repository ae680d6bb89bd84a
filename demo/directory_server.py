"""Hands the platform's directory out over HTTPS, as any web server would."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from demo.https_server import HttpsServer, QuietHandler

if TYPE_CHECKING:
    from demo.certs import Certificate
    from demo.directory import Directory

REMEMBERED_REQUESTS = 4096


class DirectoryServer:
    """Serves a `Directory` at `url`; a test can make it withhold or replace answers.

    Args:
        directory: What to serve; changes show at once.
        certificate: What the server shows.
    """

    def __init__(self, directory: Directory, certificate: Certificate) -> None:
        self.directory = directory
        self.requests: deque[str] = deque(maxlen=REMEMBERED_REQUESTS)
        self.replaced: dict[str, bytes] = {}
        self.withheld: set[str] = set()
        self._https = HttpsServer(self._handler(), certificate)

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        return self._https.port

    @property
    def url(self) -> str:
        """The directory's URL for a device's configuration."""
        return f"https://localhost:{self.port}"

    def start(self) -> None:
        """Serve from now on."""
        self._https.start()

    def stop(self) -> None:
        """Close the listener and every connection."""
        self._https.stop()

    def body(self, path: str) -> bytes | None:
        """What is answered for a path below the URL; None is 404."""
        self.requests.append(path)
        if path in self.withheld:
            return None
        return self.replaced.get(path, self.directory.files.get(path))

    def _handler(self) -> type[QuietHandler]:
        server = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:  # noqa: N802 - http.server's name
                body = server.body(self.path.lstrip("/"))
                if body is None:
                    self.answer(404)
                else:
                    self.answer(200, body, {"Content-Type": "application/json"})

        return Handler
