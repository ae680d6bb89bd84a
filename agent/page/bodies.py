"""Bodies that phones send: bounded before they are read, strict before they are believed.

`read_body` gives the bytes; each `*_body` returns a value of a closed form out of them, and everything that is not
that form is a `RefusedError`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from starlette.requests import ClientDisconnect

from agent.core import ids, strict_json, text
from agent.core.encoding import unb64
from agent.core.envelope import SIGNATURE_BYTES
from agent.core.errors import RefusedError
from agent.core.keys import KEY_BYTES
from agent.core.seal import WRAP_BYTES
from agent.page.rules import MAX_DECISION_BODY

if TYPE_CHECKING:
    from starlette.requests import Request

READ_S: Final = 20.0
# After a refusal the rest of a body is read and dropped, so that the answer isn't lost to a reset connection.
DRAIN_BYTES: Final = 2 * MAX_DECISION_BODY
DRAIN_S: Final = 3.0
MAX_NAME_CHARS: Final = 40
_JSON_SPACE: Final = b" \t\n\r"


async def read_body(request: Request, *, max_bytes: int) -> bytes:
    """Read one body.

    Raises:
        RefusedError: E_SIZE beyond `max_bytes`, E_TIMEOUT when it takes too long or never ends.
    """
    declared = request.headers.get("content-length")
    if declared is not None and (not declared.isdecimal() or int(declared[:12]) > max_bytes):
        raise RefusedError("E_SIZE", f"more than {max_bytes} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(READ_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise RefusedError("E_SIZE", f"more than {max_bytes} bytes")
    except TimeoutError as exc:
        raise RefusedError("E_TIMEOUT", "the body took too long") from exc
    except ClientDisconnect as exc:
        raise RefusedError("E_TIMEOUT", "the phone left before its body was whole") from exc
    return bytes(body)


async def drain(request: Request) -> None:
    """Read and drop what is left of a refused body, within bounds."""
    left = DRAIN_BYTES
    try:
        async with asyncio.timeout(DRAIN_S):
            async for chunk in request.stream():
                left -= len(chunk)
                if left < 0:
                    return
    except (TimeoutError, ClientDisconnect, RuntimeError):  # RuntimeError: the stream was consumed before
        return


def _parsed(body: bytes) -> strict_json.Json:
    """Parse a body whose size `read_body` has bounded."""
    return strict_json.parse(body, max_bytes=len(body))


def _object(body: bytes, keys: frozenset[str], what: str) -> dict[str, strict_json.Json]:
    return strict_json.closed(_parsed(body), keys, "E_SCHEMA", what)


def _bytes_field(body: dict[str, strict_json.Json], key: str, length: int) -> str:
    value = body[key]
    try:
        unb64(value, length=length)
    except ValueError as exc:
        raise RefusedError("E_SCHEMA", f"{key} is not {length} bytes of base64") from exc
    return cast("str", value)


def pair_body(body: bytes) -> dict[str, str]:
    """`{name, sign_pub, open_pub, mac}`, each of its form; a malformed body is no try (section 10)."""
    value = _object(body, frozenset({"name", "sign_pub", "open_pub", "mac"}), "pairing")
    if not text.is_text(value["name"], limit=MAX_NAME_CHARS):
        raise RefusedError("E_TEXT", "the phone's name is not a text of at most 40 signs")
    keys = {key: _bytes_field(value, key, KEY_BYTES) for key in ("sign_pub", "open_pub", "mac")}
    return {"name": cast("str", value["name"]), **keys}


def phone_body(body: bytes) -> str:
    """`{phone}`."""
    value = _object(body, frozenset({"phone"}), "challenge")
    if not ids.is_kid(value["phone"]):
        raise RefusedError("E_SCHEMA", "phone is not a kid")
    return value["phone"]


def session_body(body: bytes) -> tuple[str, str]:
    """`{phone, sig}`."""
    value = _object(body, frozenset({"phone", "sig"}), "session")
    if not ids.is_kid(value["phone"]):
        raise RefusedError("E_SCHEMA", "phone is not a kid")
    return value["phone"], _bytes_field(value, "sig", SIGNATURE_BYTES)


def envelope_body(body: bytes) -> bytes:
    """`{envelope}`: the envelope's bytes as sent; its size and what is in it are the vault's business."""
    value = _object(body, frozenset({"envelope"}), "body")
    if not isinstance(value["envelope"], dict):
        raise RefusedError("E_SCHEMA", "envelope is no object")
    # An object of this one key: what stands between its first colon and its closing brace is the envelope.
    return body.strip(_JSON_SPACE)[:-1].partition(b":")[2].strip(_JSON_SPACE)


def empty_body(body: bytes) -> None:
    """`{}`."""
    _object(body, frozenset(), "body")


def stanzas_body(body: bytes) -> list[dict[str, str]]:
    """`[{id, stanza}]`, as many as the body's size allows."""
    value = _parsed(body)
    if not isinstance(value, list):
        raise RefusedError("E_SCHEMA", "not a list of stanzas")
    stanzas: list[dict[str, str]] = []
    for item in value:
        row = strict_json.closed(item, frozenset({"id", "stanza"}), "E_SCHEMA", "stanza")
        if not ids.is_id(row["id"]):
            raise RefusedError("E_SCHEMA", "id is not an id")
        stanzas.append({"id": row["id"], "stanza": _bytes_field(row, "stanza", WRAP_BYTES)})
    return stanzas
