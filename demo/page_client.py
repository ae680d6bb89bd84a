"""HTTPS to one doorbell's page, known by the hash of its key and by nothing else (protocol section 10)."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import re
import ssl
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

TIMEOUT_S = 20.0
_LINK = re.compile(r"https://([^/:]+|\[[^\]]+\]):(\d+)/pair#1\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")


class PageError(Exception):
    """The page refused or could not be reached; `code` is its error code, or the HTTP status."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class PairingLink:
    """What `doorbell pair` prints."""

    host: str
    port: int
    secret: bytes
    spki: bytes

    @classmethod
    def parse(cls, text: str) -> PairingLink:
        """Read a link.

        Raises:
            PageError: it is none.
        """
        match = _LINK.fullmatch(text)
        if match is None:
            raise PageError("link", "this is no pairing link")
        secret, spki = (urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in match.groups()[2:])
        return cls(match[1], int(match[2]), secret, spki)


class PageClient:
    """Speaks JSON with the page and keeps its session cookie.

    Args:
        link: Where the page is and the hash of its key.
    """

    def __init__(self, link: PairingLink) -> None:
        self._link = link
        self._cookie = ""

    @property
    def origin(self) -> str:
        """The page's origin."""
        return f"https://{self._link.host}:{self._link.port}"

    def get(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        """GET JSON.

        Raises:
            PageError: refused, or not the doorbell of the link.
        """
        return json.loads(self.exchange("GET", path)[1])

    def get_bytes(self, path: str) -> bytes:
        """GET a file."""
        return self.exchange("GET", path)[1]

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401 - any JSON
        """POST JSON and return JSON, or None where the answer is empty."""
        answer = self.exchange("POST", path, json.dumps(body, ensure_ascii=False).encode())[1]
        return json.loads(answer) if answer else None

    def exchange(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """One request over a connection of its own, checked to be the doorbell's."""
        headers = {"Cookie": self._cookie} if self._cookie else {}
        if body is not None:
            headers |= {"Content-Type": "application/json", "X-Doorbell": "1", "Origin": self.origin}
        connection = http.client.HTTPSConnection(
            self._link.host.strip("[]"), self._link.port, timeout=TIMEOUT_S, context=_any_certificate()
        )
        try:
            connection.connect()
            self._check_key(connection.sock)
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise PageError("unreachable", f"the doorbell's page does not answer: {error}") from error
        finally:
            connection.close()
        for cookie in response.headers.get_all("Set-Cookie", []):
            self._cookie = cookie.partition(";")[0]
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            code = _code(answer) or str(response.status)
            raise PageError(code, f"the doorbell's page answers {response.status} {code} to {method} {path}")
        return response.status, answer

    def _check_key(self, sock: Any) -> None:  # noqa: ANN401 - http.client's own type
        certificate = x509.load_der_x509_certificate(sock.getpeercert(binary_form=True))
        public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if not hmac.compare_digest(hashlib.sha256(public).digest(), self._link.spki):
            raise PageError("spki", "another machine answers in the doorbell's place")


def _any_certificate() -> ssl.SSLContext:
    """No authority vouches for a doorbell: its key does, and that is checked before anything is said."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _code(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return ""
