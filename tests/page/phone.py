"""A phone without a browser: the owner's side of protocol section 10 in Python, for tests of the server."""

from __future__ import annotations

import hmac
import http.client
import json
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.core import envelope, ids, strict_json
from agent.core.encoding import b64, unb64, unb64url
from agent.core.keys import raw_public
from tests.fakes.page_world import now_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from urllib3 import BaseHTTPResponse

    from tests.page.serving import Served

HEADERS = {"Content-Type": "application/json", "X-Doorbell": "1"}
NOTHING = "0" * 32
"""The id of nothing."""


def code(response: BaseHTTPResponse) -> tuple[int, str]:
    """Status and error code of a refusal."""
    return response.status, json.loads(response.data)["error"]


def plain(served: Served, method: str, path: str, **options: Any) -> BaseHTTPResponse:
    """One request of nobody: no session, no headers of its own."""
    return served.client.request(method, served.origin + path, **options)


class EventReader:
    """One open event stream."""

    def __init__(self, port: int, cookie: str) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        raw = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._sock = context.wrap_socket(raw, server_hostname="localhost")
        head = f"GET /api/events HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: {cookie}\r\n\r\n"
        self._sock.sendall(head.encode())
        self._response = http.client.HTTPResponse(self._sock)
        self._response.begin()
        assert self._response.status == 200, self._response.status
        assert self._response.getheader("content-type", "").startswith("text/event-stream")
        assert self._block() == ["retry: 2000"]

    def _block(self) -> list[str]:
        lines: list[str] = []
        while line := self._response.readline().decode().rstrip("\n"):
            lines.append(line)
        return lines

    def take(self) -> tuple[str, Any]:
        """The next event."""
        name, data = self._block()
        return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))

    def events_until_the_end(self) -> int:
        """How many more events come before the server ends the stream."""
        count = 0
        while self._block():
            count += 1
        return count

    def close(self) -> None:
        self._response.close()
        self._sock.close()


class PhoneClient:
    """Keys, pairing, session and signed actions of one phone."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.sign_key = Ed25519PrivateKey.generate()
        self.open_key = X25519PrivateKey.generate()
        self.sign_pub = raw_public(self.sign_key)
        self.open_pub = raw_public(self.open_key)
        self.kid = ids.kid_of(self.sign_pub)
        self.open_kid = ids.kid_of(self.open_pub)
        self.cookie = ""

    def request(
        self, method: str, path: str, body: object = None, *, raw: bytes | Iterator[bytes] | None = None
    ) -> BaseHTTPResponse:
        given = raw if raw is not None else (None if body is None else strict_json.dump(body))
        headers = HEADERS | ({"Cookie": self.cookie} if self.cookie else {})
        return self.served.client.request(method, self.served.origin + path, body=given, headers=headers)

    def get(self, path: str) -> BaseHTTPResponse:
        return self.request("GET", path)

    def json(self, path: str) -> Any:
        response = self.get(path)
        assert response.status == 200, response.data
        return json.loads(response.data)

    def send_pair(self, secret: bytes, **changes: Any) -> BaseHTTPResponse:
        said = b"doorbell/pair/v1\0phone" + self.served.vault.spki + self.sign_pub + self.open_pub
        body = {
            "name": "Test phone",
            "sign_pub": b64(self.sign_pub),
            "open_pub": b64(self.open_pub),
            "mac": b64(hmac.digest(secret, said, "sha256")),
        }
        return self.request("POST", "/api/pair", body | changes)

    def pair(self) -> dict[str, Any]:
        """Pair by a fresh link and check the device's proof."""
        secret = unb64url(self.served.vault.open_window().split(".")[1], length=16)
        answer: dict[str, Any] = json.loads(self.send_pair(secret).data)
        said = b"doorbell/pair/v1\0device" + self.served.vault.spki + self.sign_pub + self.open_pub
        right = hmac.digest(secret, said + answer["device"].encode(), "sha256")
        assert unb64(answer["mac"]) == right
        assert ids.kid_of(unb64(answer["device_pub"])) == answer["device"]
        return answer

    def challenge(self) -> bytes:
        response = self.request("POST", "/api/session/challenge", {"phone": self.kid})
        return unb64(json.loads(response.data)["challenge"], length=32)

    def answer(self, challenge: bytes, spki: bytes | None = None) -> BaseHTTPResponse:
        said = b"doorbell/session/v1\0" + (spki or self.served.vault.spki) + challenge
        response = self.request("POST", "/api/session", {"phone": self.kid, "sig": b64(self.sign_key.sign(said))})
        if response.status == 204:
            self.cookie = response.headers["set-cookie"].split(";")[0]
        return response

    def log_in(self, spki: bytes | None = None) -> BaseHTTPResponse:
        return self.answer(self.challenge(), spki)

    def act(
        self, verb: str, args: dict[str, Any], *, nonce: str | None = None, key: Ed25519PrivateKey | None = None
    ) -> BaseHTTPResponse:
        nonce = nonce or self.json("/api/nonce")["nonce"]
        value = {"v": 1, "id": ids.new_id(), "verb": verb, "args": args, "phone": self.kid, "nonce": nonce}
        raw = envelope.sign("action", strict_json.dump(value | {"at": now_ms() // 1000}), [key or self.sign_key])
        return self.request("POST", "/api/actions", raw=b'{"envelope":' + raw + b"}")

    def listen(self) -> EventReader:
        return EventReader(self.served.port, self.cookie)

    def eventually(self, holds: Callable[[], bool], within_s: float = 5.0) -> None:
        """Wait until something becomes true on the server's side."""
        until = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < until, "it did not happen"
            time.sleep(0.02)
