"""A small HTTPS server on a free loopback port, one thread a connection."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    import ssl

    from demo.certs import Certificate

STALL_S = 30.0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext, port: int) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self._context = context
        self.open_sockets: set[socket.socket] = set()

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's own type
        """Shake hands in the connection's own thread, so that a slow client stalls nobody."""
        request.settimeout(STALL_S)
        with contextlib.suppress(OSError):  # a peer that breaks TLS or goes away is its own trouble
            tls = self._context.wrap_socket(request, server_side=True)
            self.open_sockets.add(tls)
            try:
                super().finish_request(tls, client_address)
            finally:
                self.open_sockets.discard(tls)
                tls.close()


class QuietHandler(BaseHTTPRequestHandler):
    """HTTP/1.1 with keep-alive, and no log lines on the terminal."""

    protocol_version = "HTTP/1.1"
    server_version = "demo"
    sys_version = ""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing; the demo narrates itself."""

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Send one whole answer."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and body:
            self.wfile.write(body)


class HttpsServer:
    """Serves `handler` on `https://localhost:<port>` between `start` and `stop`.

    Args:
        handler: The request handler class.
        certificate: What the server shows.
        port: 0 takes a free one.
    """

    def __init__(self, handler: type[BaseHTTPRequestHandler], certificate: Certificate, *, port: int = 0) -> None:
        self._server = _Server(handler, certificate.server_context(), port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()

    def drop_connections(self) -> None:
        """Cut every open connection, in the middle of what it does."""
        for tls in tuple(self._server.open_sockets):
            with contextlib.suppress(OSError):
                tls.shutdown(2)

    def stop(self) -> None:
        """Close the listener and every connection; also when it was never started."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self.drop_connections()
        self._server.server_close()
