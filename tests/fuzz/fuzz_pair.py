# Invariant: whatever the bytes, a pairing body is read or refused with RefusedError, and an open window lets in
# only a body whose mac the secret makes; no session opens without the key.
"""Fuzzes what strangers on the home network send to pair and to open a session."""

import json
from collections.abc import Iterator
from typing import Final

from agent.consent.pairing import PairingWindow, parse_pair_body, phone_mac
from agent.consent.sessions import Sessions
from agent.core.encoding import b64
from agent.core.errors import RefusedError
from agent.core.strict_json import parse
from tests.fakes.consent_house import ANNA

SECRET: Final = b"s" * 16
SPKI: Final = b"\3" * 32
SESSIONS: Final = Sessions(fresh=lambda count: b"\7" * count)


def seeds() -> Iterator[bytes]:
    """Yield inputs to begin with: 1 and a body, 2 and a session's signature, 3 and a token."""
    open_pub = ANNA.open_key.public_key().public_bytes_raw()
    for mac in (phone_mac(SECRET, SPKI, ANNA.sign_pub, open_pub), bytes(32), b""):
        body = {"name": "Anna", "sign_pub": b64(ANNA.sign_pub), "open_pub": b64(open_pub), "mac": b64(mac)}
        yield b"\1" + json.dumps(body).encode()
    yield b"\2" + bytes(64)
    yield b"\3" + b"A" * 43


def _body(rest: bytes) -> None:
    body = parse_pair_body(parse(rest, max_bytes=65_536))
    window = PairingWindow()
    window.open([SECRET], 0)
    if window.attempt(body, SPKI, 1) != SECRET or body.mac != phone_mac(
        SECRET, SPKI, body.sign_pub, body.open_pub
    ):
        raise AssertionError("a phone came in without the secret")


def _session(rest: bytes) -> None:
    SESSIONS.challenge(ANNA.known, 0)
    SESSIONS.open(ANNA.known, rest, SPKI, 0)
    raise AssertionError("a session was opened without the key")


def _token(rest: bytes) -> None:
    if SESSIONS.phone_of(rest.decode("latin-1"), 0) is not None:
        raise AssertionError("a session that nobody opened")


_MODES: Final = {b"\1": _body, b"\2": _session, b"\3": _token}


def one(data: bytes) -> None:
    """Check the invariant for one input."""
    check = _MODES.get(data[:1])
    if check is None:
        return
    try:
        check(data[1:])
    except RefusedError:
        return
