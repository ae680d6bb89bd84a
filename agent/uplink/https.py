"""HTTPS to one server, over one connection: no redirects, no proxy, bounded answers, an end to every wait.

The name is resolved once, the addresses are judged, and the connection goes to the very address that was judged.
A deadline cuts the connection from outside, so that a server which drips bytes can't hold a thread.
"""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import urllib3
from urllib3.connection import HTTPConnection

from agent.core.errors import RefusedError, TroubleError
from agent.uplink.addresses import HTTPS_PORT, HttpsAddress, is_public

CONNECT_S: Final = 10.0
HANDSHAKE_S: Final = 20.0
SILENCE_S: Final = 30.0  # the longest wait for one read or write
EXCHANGE_S: Final = 60.0
MAX_ADDRESSES: Final = 8
_READ_BYTES: Final = 65_536
_FIRST_REFUSAL: Final = 300  # redirects count as refusals


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is talked to: `fault` is the code of its troubles, `name` its name in a sentence."""

    fault: str
    name: str

    def trouble(self, text: str) -> TroubleError:
        """A trouble of this peer in one plain line."""
        return TroubleError(self.fault, f"{self.name} {text}")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `headers` keys are lower case, of a repeated one the first counts; a refusal has no body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpsSession:
    """One connection to one server, opened at the first exchange and again after a failure.

    Args:
        address: The server; `base` goes before every path.
        context: TLS as `agent.uplink.tls` makes it.
        peer: How its troubles are named.
        private_addresses: Whether addresses that are not of the internet are allowed.
    """

    def __init__(
        self, address: HttpsAddress, context: ssl.SSLContext, peer: Peer, *, private_addresses: bool
    ) -> None:
        self._address = address
        self._context = context
        self._peer = peer
        self._private_addresses = private_addresses
        self._connection: HTTPConnection | None = None
        self._cutter: _Cutter | None = None
        self._aborted = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        cutter, self._cutter = self._cutter, None
        if connection is not None:
            connection.close()
        if cutter is not None:
            cutter.close()

    def abort(self) -> None:
        """Cut the connection from another thread and never open it again."""
        self._aborted.set()
        cutter = self._cutter
        if cutter is not None:
            cutter.cut()

    def exchange(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        max_answer_bytes: int = 0,
        deadline_s: float = EXCHANGE_S,
    ) -> Answer:
        """Send one request to `base + path` and read the whole answer; a redirect is an answer like any other.

        `deadline_s` counts from the call on: connecting is part of it.

        Raises:
            RefusedError: private-address, or too-large for a body beyond `max_answer_bytes`.
            TroubleError: with the peer's fault code, for everything that the network or TLS does.
        """
        ends_s = time.monotonic() + deadline_s
        try:
            connection, cutter = self._open(ends_s)
            with cutter.within(_left_s(ends_s)):
                return self._exchange(connection, method, path, headers or {}, body, max_answer_bytes)
        except ssl.SSLCertVerificationError as exc:
            self.close()
            reason = exc.verify_message or exc.reason or "unknown reason"
            raise self._peer.trouble(f"shows a certificate that is not accepted: {reason}") from exc
        except (OSError, ValueError, urllib3.exceptions.HTTPError, http.client.HTTPException) as exc:
            self.close()
            raise self._peer.trouble(f"does not answer as it should ({_reason(exc)})") from exc
        except RefusedError:
            self.close()
            raise

    def _exchange(
        self,
        connection: HTTPConnection,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        max_answer_bytes: int,
    ) -> Answer:
        host, port = self._address.host, self._address.port
        host = f"[{host}]" if ":" in host else host
        fixed = {
            "Host": host if port == HTTPS_PORT else f"{host}:{port}",
            "Accept-Encoding": "identity",
            "User-Agent": "doorbell",
        }
        connection.request(
            method,
            self._address.base + path,
            body=body,
            headers={**fixed, **headers},
            preload_content=False,
            decode_content=False,
        )
        response = connection.getresponse()
        answered: dict[str, str] = {}
        for name, value in response.headers.items():
            answered.setdefault(name.lower(), value)
        if response.status >= _FIRST_REFUSAL:
            self.close()  # what a refusal says is of no interest, nor is reading it to its end
            return Answer(response.status, answered, b"")
        read = bytearray()
        while part := response.read(_READ_BYTES, decode_content=False):
            read += part
            if len(read) > max_answer_bytes:
                raise RefusedError("too-large", f"{self._peer.name} answers more than {max_answer_bytes} bytes")
        if answered.get("connection", "").lower() == "close":
            self.close()
        return Answer(response.status, answered, bytes(read))

    def _open(self, ends_s: float) -> "tuple[HTTPConnection, _Cutter]":
        if self._aborted.is_set():
            raise OSError("stopped")
        if self._connection is not None and self._cutter is not None:
            return self._connection, self._cutter
        tcp = self._connect(ends_s)
        cutter = self._cutter = _Cutter(tcp)
        if self._aborted.is_set():  # while it connected there was nothing to cut
            self.close()
            tcp.close()
            raise OSError("stopped")
        try:
            with cutter.within(min(HANDSHAKE_S, _left_s(ends_s))):
                # An end without TLS's own goodbye is an error: a cut answer must not pass for a short one.
                tls = self._context.wrap_socket(
                    tcp, server_hostname=self._address.host, suppress_ragged_eofs=False
                )
        except (OSError, ValueError):
            self.close()
            tcp.close()
            raise
        tls.settimeout(SILENCE_S)
        connection = HTTPConnection(self._address.host, self._address.port, timeout=SILENCE_S)
        connection.sock = tls
        connection.auto_open = 0  # never to an address that was not judged
        self._connection = connection
        return connection, cutter

    def _connect(self, ends_s: float) -> socket.socket:
        host, port = self._address.host, self._address.port
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[:MAX_ADDRESSES]
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        allowed = [one for one in addresses if self._private_addresses or is_public(one)]
        if not allowed:
            raise RefusedError(
                "private-address",
                f"{self._peer.name} {host} has no public address: [platform] private_addresses allows others",
            )
        for address in allowed[:-1]:
            with contextlib.suppress(OSError):
                return socket.create_connection((address, port), min(CONNECT_S, _left_s(ends_s)))
        return socket.create_connection((allowed[-1], port), min(CONNECT_S, _left_s(ends_s)))


class _Cutter:
    """Can cut a connection from another thread: its own descriptor of the socket, safe beside TLS."""

    def __init__(self, tcp: socket.socket) -> None:
        self._socket = tcp.dup()
        self._is_cut = False

    def cut(self) -> None:
        self._is_cut = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()

    @contextlib.contextmanager
    def within(self, deadline_s: float) -> Iterator[None]:
        """Cut the connection unless the block ends within `deadline_s`."""
        timer = threading.Timer(deadline_s, self.cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
        if self._is_cut:
            raise TimeoutError


def _left_s(ends_s: float) -> float:
    """Return the time that is left.

    Raises:
        TimeoutError: none is.
    """
    left_s = ends_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _reason(error: Exception) -> str:
    """A few words of our own or the system's; never a server's text."""
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, ssl.SSLError):
        return error.reason or "TLS failed"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
