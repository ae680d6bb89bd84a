"""Pairing a phone: the window, the link, and the two proofs of who knows the secret (protocol section 10).

A window is opened by `doorbell pair` or by a long hold of the indoor button. It lasts 120 s of boot time, lets
in one phone, and bears 3 wrong tries. The secret travels only in the link's fragment, which no browser sends.
A malformed body is no try; a window of an earlier run of the vault is closed, because it lives in RAM.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from agent.consent.forms import key_bytes, octets
from agent.core.encoding import b64url
from agent.core.errors import RefusedError
from agent.core.ids import Kid, kid_of
from agent.core.keys import load_open_key, load_verify_key
from agent.core.strict_json import Json, closed
from agent.core.text import is_text

WINDOW_NS: Final = 120 * 10**9  # section 10
MAX_TRIES: Final = 3  # section 10
SECRET_BYTES: Final = 16  # section 10
SPKI_BYTES: Final = 32  # section 10
MAC_BYTES: Final = 32
MAX_NAME: Final = 40  # section 10

_LABEL: Final = b"doorbell/pair/v1\0"
_BODY_KEYS: Final = frozenset({"name", "sign_pub", "open_pub", "mac"})


@dataclass(frozen=True, slots=True)
class Link:
    """What a pairing link holds; `host` as it stands in a URL."""

    host: str
    port: int
    secret: bytes = field(repr=False)
    spki: bytes


def build_link(link: Link) -> str:
    """Return the link as it is shown and drawn as a QR code."""
    return f"https://{link.host}:{link.port}/pair#1.{b64url(link.secret)}.{b64url(link.spki)}"


@dataclass(frozen=True, slots=True)
class PairBody:
    """What a phone sends to pair; both keys are 32 raw bytes and not weak."""

    name: str
    sign_pub: bytes
    open_pub: bytes
    mac: bytes

    @property
    def phone(self) -> Kid:
        """The phone's name: the kid of its sign key."""
        return kid_of(self.sign_pub)


def parse_pair_body(value: Json) -> PairBody:
    """Parse the body of `POST /api/pair`; what fails here is no try.

    Raises:
        RefusedError: E_SCHEMA, E_TEXT (the name can't be shown), E_KEY (a weak key).
    """
    item = closed(value, _BODY_KEYS, "E_SCHEMA", "the pairing")
    body = PairBody(
        name=item["name"] if isinstance(item["name"], str) else "",
        sign_pub=key_bytes(item["sign_pub"], "sign_pub"),
        open_pub=key_bytes(item["open_pub"], "open_pub"),
        mac=octets(item["mac"], "mac", low=MAC_BYTES, high=MAC_BYTES),
    )
    if not is_text(body.name, limit=MAX_NAME):
        raise RefusedError("E_TEXT", "the phone's name is text of at most 40 characters")
    load_verify_key(body.sign_pub)
    load_open_key(body.open_pub)
    return body


def phone_mac(secret: bytes, spki: bytes, sign_pub: bytes, open_pub: bytes) -> bytes:
    """Return what a phone that read the link sends."""
    return hmac.digest(secret, _LABEL + b"phone" + spki + sign_pub + open_pub, "sha256")


def device_mac(secret: bytes, spki: bytes, sign_pub: bytes, open_pub: bytes, device: Kid) -> bytes:
    """Return what the device answers, so that the phone knows that it met the device of the link."""
    return hmac.digest(secret, _LABEL + b"device" + spki + sign_pub + open_pub + device.encode("ascii"), "sha256")


def six_digits(sign_pub: bytes, open_pub: bytes) -> str:
    """Return the code that both screens show while a phone waits: 20 bits of the keys' hash modulo 10^6."""
    first = int.from_bytes(hashlib.sha256(sign_pub + open_pub).digest()[:3], "big") >> 4
    return f"{first % 10**6:06d}"


@dataclass(slots=True)
class _Open:
    secrets: tuple[bytes, ...] = field(repr=False)
    until_ns: int
    tries_left: int


class PairingWindow:
    """One window at a time, closed at first. Pure: every question brings its own boot time."""

    def __init__(self) -> None:
        self._window: _Open | None = None

    def open(self, secrets: Iterable[bytes], now_ns: int) -> None:
        """Open a window in which any of `secrets` is good: a fresh one, the owner's card's, or both.

        An open window is replaced; the tries start anew. Without a secret nothing opens.
        """
        good = tuple(secrets)
        self._window = _Open(good, now_ns + WINDOW_NS, MAX_TRIES) if good else None

    def close(self) -> None:
        """Close the window and forget the secrets."""
        self._window = None

    def is_open(self, now_ns: int) -> bool:
        """Say whether a phone may pair now."""
        return self._open_at(now_ns) is not None

    def left_ns(self, now_ns: int) -> int:
        """Return for how long the window stays open."""
        window = self._open_at(now_ns)
        return 0 if window is None else window.until_ns - now_ns

    def attempt(self, body: PairBody, spki: bytes, now_ns: int) -> bytes:
        """Take one try and return the secret that the phone proved to know; the window is closed then.

        Raises:
            RefusedError: P_CLOSED; P_MAC, which costs a try.
        """
        window = self._open_at(now_ns)
        if window is None:
            raise RefusedError("P_CLOSED", "no pairing window is open; run `doorbell pair`")
        for secret in window.secrets:
            if hmac.compare_digest(phone_mac(secret, spki, body.sign_pub, body.open_pub), body.mac):
                self.close()
                return secret
        window.tries_left -= 1
        if window.tries_left == 0:
            self.close()
        raise RefusedError("P_MAC", "this phone did not read the link")

    def _open_at(self, now_ns: int) -> _Open | None:
        """Return the window, and forget it when its time is over."""
        if self._window is not None and now_ns >= self._window.until_ns:
            self.close()
        return self._window
